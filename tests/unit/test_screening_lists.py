"""Files of a sanctions list: read whole, or refused; and addresses in all the forms that one key has."""

import csv
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import screening_names as made
from kyc.screening import entries, keys, publications
from kyc.screening.entries import ListBroken, Wallet
from wallets.chains import base58
from wallets.chains.utxo import bech32

SDN = (
    '1,"ORIONTEX TRADING LLC","-0- ","IRAN",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n'
    '22,"PETROVICH, Nikolai","individual","RUSSIA-EO14024] [CYBER2",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,'
    '"DOB 12 Aug 1962; alt. DOB 1963; POB Minsk, Belarus; nationality Russia; Gender Male; Digital Currency Address - XBT '
    "1BoatSLRHtKNngkdXEeobR76b53LETtpyT; alt. Digital Currency Address - ETH 0x00000000219ab540356cBB839Cbe05303d7705Fa; "
    "a.k.a. 'SHARK'; Linked To: ORIONTEX TRADING LLC.\"\r\n"
)
ALT = '22,31,"aka","PIETROWICZ, Mikolaj",-0- \r\n22,32,"fka","NIKOLA P",-0- \r\n'
ADD = '22,77,"Street 1","Minsk","Belarus",-0- \r\n1,78,-0- ,-0- ,"Iran",-0- \r\n'
COMMENTS = '22,"alt. Digital Currency Address - USDT TXLAQ63Xg1NAzckPwKHvzw7CSEmLMEqcdj; POB elsewhere."\r\n'
END = "\x1a\r\n"
XML = """<?xml version="1.0" standalone="yes"?>
<sdnList xmlns="https://sanctionslistservice.ofac.treas.gov/api/PublicationPreview/exports/XML">
  <publshInformation><Publish_Date>03/09/2026</Publish_Date><Record_Count>1</Record_Count></publshInformation>
  <sdnEntry><uid>22</uid><firstName>Nikolai</firstName><lastName>PETROVICH</lastName><sdnType>Individual</sdnType>
    <programList><program>CYBER2</program></programList>
    <idList>
      <id><uid>5</uid><idType>Digital Currency Address - ETH</idType>
        <idNumber>0x00000000219ab540356cBB839Cbe05303d7705Fa</idNumber></id>
      <id><uid>6</uid><idType>Passport</idType><idNumber>A1</idNumber><idCountry>Russia</idCountry></id>
    </idList>
    <akaList>
      <aka><uid>31</uid><type>a.k.a.</type><category>strong</category>
        <lastName>PIETROWICZ</lastName><firstName>Mikolaj</firstName></aka>
      <aka><uid>33</uid><type>a.k.a.</type><category>weak</category><lastName>SHARK</lastName></aka>
    </akaList>
    <addressList><address><uid>77</uid><country>Belarus</country></address></addressList>
    <nationalityList><nationality><uid>8</uid><country>Russia</country></nationality></nationalityList>
    <dateOfBirthList><dateOfBirthItem><uid>9</uid><dateOfBirth>12 Aug 1962</dateOfBirth></dateOfBirthItem></dateOfBirthList>
  </sdnEntry>
</sdnList>
"""


def delimited(**changed):
    files = {"sdn.csv": SDN + END, "alt.csv": ALT + END, "add.csv": ADD + END, "sdn_comments.csv": COMMENTS + END}
    return {name: text.encode() for name, text in {**files, **changed}.items()}


def test_the_delimited_files_are_one_list():
    publication = publications.read(delimited())
    company, person = publication.entries
    assert (company.uid, company.kind, company.countries) == ("1", "entity", ("Iran",))
    assert [(name.text, name.weak) for name in person.names] == [
        ("PETROVICH, Nikolai", False),
        ("PIETROWICZ, Mikolaj", False),
        ("NIKOLA P", False),
        ("SHARK", True),
    ]
    assert (person.names[0].surname, person.names[0].given) == ("PETROVICH", "Nikolai")
    assert person.births == ("12 Aug 1962", "1963") and set(person.countries) == {"Russia", "Belarus"}
    assert person.programs == ("RUSSIA-EO14024", "CYBER2")
    assert [wallet.currency for wallet in person.wallets] == ["XBT", "ETH", "USDT"]
    assert person.wallets[0] == Wallet("XBT", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT")


def test_the_xml_is_the_same_list():
    publication = publications.read({"SDN.XML": XML.encode()})
    (person,) = publication.entries
    assert str(publication.published) == "2026-03-09"
    assert [(name.text, name.weak) for name in person.names] == [
        ("PETROVICH, Nikolai", False),
        ("PIETROWICZ, Mikolaj", False),
        ("SHARK", True),
    ]
    assert person.births == ("12 Aug 1962",) and person.countries == ("Belarus", "Russia")
    assert person.wallets == (Wallet("ETH", "0x00000000219ab540356cBB839Cbe05303d7705Fa"),)


def test_an_entry_comes_back_as_it_went():
    for entry in publications.read(delimited()).entries:
        again = entries.read(entry.body())
        assert again == entry and again.digest() == entry.digest()


def test_a_list_cut_off_anywhere_is_refused():
    rng = random.Random(1)
    whole = made.files(made.listed(300, 1))
    publications.read(whole)
    for name, raw in whole.items():
        rows = [at + 2 for at in range(len(raw)) if raw[at : at + 2] == b"\r\n"]
        for at in [*rng.sample(range(1, len(raw) - 3), 40), *rng.sample(rows[:-2], 20)]:
            with pytest.raises(ListBroken):
                publications.read({**whole, name: raw[:at]})


def test_without_closing_characters_a_cut_is_still_seen():
    whole = {name: raw.removesuffix(b"\x1a\r\n") for name, raw in made.files(made.listed(300, 1)).items()}
    publications.read(whole)
    sdn = whole["sdn.csv"]
    for at in (len(sdn) // 2, sdn.index(b"\r\n", len(sdn) // 2) + 2):
        with pytest.raises(
            ListBroken
        ):  # within a row; and after one: then alt.csv or add.csv tell of entries that are not there
            publications.read({**whole, "sdn.csv": sdn[:at]})


def test_xml_cut_off_anywhere_is_refused():
    raw = XML.strip().encode()
    for at in range(0, len(raw) - 1, 7):
        with pytest.raises(ListBroken):
            publications.read({"sdn.xml": raw[:at] or b"<"})


def test_xml_that_lost_an_entry_says_so_itself():
    with pytest.raises(ListBroken, match="says that it has 2 entries, and has 1"):
        publications.read({"sdn.xml": XML.replace(">1</Record_Count>", ">2</Record_Count>").encode()})


BOMB = '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)


@pytest.mark.parametrize(
    "prolog",
    [
        BOMB + "]>",
        '<!DOCTYPE sdnList [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE sdnList SYSTEM "http://127.0.0.1:9/x.dtd">',
        "<!DOCTYPE sdnList>",
    ],
)
def test_an_xml_bomb_is_refused_before_it_is_expanded(prolog):
    text = XML.replace('standalone="yes"?>', 'standalone="yes"?>' + prolog).replace(
        "SHARK", "&j;" if "ENTITY j" in prolog else "S"
    )
    with pytest.raises(ListBroken):
        publications.read({"sdn.xml": text.encode()})


def test_xml_without_a_bottom_is_refused():
    deep = "<sdnList>" + "<a>" * 5_000 + "</a>" * 5_000 + "</sdnList>"
    with pytest.raises(ListBroken, match="nested too deeply"):
        publications.read({"sdn.xml": deep.encode()})


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"alt.csv": ALT.encode()},
        {"sdn.csv": b""},
        {"sdn.csv": b"\0" * 10},
        {"sdn.csv": b"<html><body>Service unavailable</body></html>"},
        {"sdn.csv": b'{"error": "not today"}\n'},
        {"sdn.csv": (SDN + SDN).encode()},
        {"sdn.csv": b'1,"A"\r\n'},
        {"sdn.csv": SDN.encode(), "passwd": b"x\n"},
        {"sdn.csv": SDN.replace('"ORION', '"ORI"ON').encode()},
        {"sdn.csv": b'1,"' + b"A" * 300_000 + b'"\r\n'},
    ],
)
def test_what_is_no_list_is_refused(files):
    with pytest.raises(ListBroken):
        publications.read(files)


@given(st.binary(max_size=400))
def test_no_bytes_do_anything_but_be_refused(raw):
    for name in ("sdn.csv", "sdn.xml"):
        try:
            publications.read({name: raw})
        except ListBroken:
            continue


def test_old_letters_are_read():
    files = delimited(**{"alt.csv": ALT.replace("Mikolaj", "Miko\u00e9j") + END})
    files["alt.csv"] = files["alt.csv"].decode().encode("latin-1")
    assert "Miko\u00e9j" in publications.read(files).entries[1].names[1].text


def test_made_files_are_csv_as_python_reads_it():
    raw = made.files(made.listed(50, 2))["sdn.csv"].removesuffix(b"\x1a\r\n").decode()
    assert {len(row) for row in csv.reader(io.StringIO(raw))} == {12}


HASH = bytes(range(20))


def test_one_key_in_every_form_is_one_key():
    same = {
        keys.of(base58.encode(b"\x00" + HASH)),
        keys.of(base58.encode(b"\x30" + HASH)),
        keys.of(base58.encode(b"\x6f" + HASH)),
        keys.of(bech32.encode("bc", 0, HASH)),
        keys.of(bech32.encode("bc", 0, HASH).upper()),
        keys.of(f"  {bech32.encode('ltc', 0, HASH)} "),
        keys.of(bech32.encode("bcrt", 0, HASH)),
    }
    assert same == {f"key:{HASH.hex()}"}


def test_an_account_is_one_key_on_every_evm_chain_and_on_tron():
    text = "0x" + HASH.hex()
    assert keys.of(text.upper().replace("0X", "0x")) == keys.of(text) == keys.of(base58.encode(b"\x41" + HASH))


def test_scripts_and_witnesses_are_keys_of_their_own():
    script = keys.of(base58.encode(b"\x05" + HASH))
    assert script == keys.of(base58.encode(b"\x32" + HASH)) == f"script:{HASH.hex()}"
    assert keys.of(bech32.encode("bc", 1, bytes(32))) == f"witness:1:{bytes(32).hex()}"


@given(st.text(max_size=300))
def test_any_text_has_a_key(text):
    assert keys.of(text) == keys.of(f" {text.strip()} ")


def test_case_matters_where_it_means_something():
    monero = "4" + "aB" * 47
    assert keys.of(monero) != keys.of(monero.lower())
