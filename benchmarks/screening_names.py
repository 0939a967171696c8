"""A sanctions list and a population that a seed makes up, for the benchmark of screening and its tests.

Names are put together from common given names and from surnames built of syllables and endings; births, addresses and
programs are drawn. Nothing is copied from a published list: where a real person has one of these names, it is chance. The
romanisations below are written down here apart from the library that screening transliterates with, so that the two do not
agree by being one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import random
from dataclasses import dataclass, field
from datetime import date, timedelta

CYRILLIC = dict(zip("абвгдежзийклмнопрстуфхцчшщъыьэюя", range(32), strict=True))
SYSTEMS = {  # one table a system, in the order of the alphabet above; "-" is a letter that is not written
    "bgn": "a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya",
    "passport": "a b v g d e zh z i i k l m n o p r s t u f kh ts ch sh shch ie y - e iu ia",
    "german": "a b w g d e sch s i j k l m n o p r s t u f ch z tsch sch schtsch - y - e ju ja",
    "scholarly": "a b v g d e z z i j k l m n o p r s t u f h c c s sc - y - e ju ja",
}


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


RUSSIAN_GIVEN = _words(
    """
    александр алексей анатолий андрей антон борис вадим валентин василий виктор виталий владимир геннадий георгий григорий
    дмитрий евгений егор иван игорь илья кирилл константин леонид максим михаил никита николай олег павел петр роман
    руслан сергей станислав степан тимофей федор юрий ярослав анна елена ирина марина наталья ольга светлана татьяна юлия
    """
)
RUSSIAN_STEMS = _words(
    """
    бар бел бор буз вар вол гав гор гру дан дор дуб жар зай зим зуб кал кар кир кол кор коз кур лап лев лом мар мел
    мол мор нов ор пан пет пол пуш раз руд сав сел сид сок сол тар тих фил хар хом цар чер шал шум щер юд яр
    """
)
RUSSIAN_MIDDLES = _words(
    """
    а ан ат ач ед ел ен ет ик ил ин ис ов од ол он ос от ош уд ул ун ух ыл ыш
    """
)
RUSSIAN_ENDINGS = _words(
    """
    ов ев ин ский енко ук ович цев хин щев юк кин лов нев
    """
)
ARABIC_GIVEN = (
    ("محمد", "Muhammad", "Mohammed"), ("أحمد", "Ahmad", "Ahmed"), ("علي", "Ali", "Aly"), ("حسن", "Hasan", "Hassan"),
    ("حسين", "Husayn", "Hussein"), ("يوسف", "Yusuf", "Youssef"), ("إبراهيم", "Ibrahim", "Ebrahim"), ("خالد", "Khalid", "Khaled"),
    ("عمر", "Umar", "Omar"), ("عثمان", "Uthman", "Othman"), ("محمود", "Mahmud", "Mahmoud"), ("مصطفى", "Mustafa", "Moustafa"),
    ("سعيد", "Said", "Saeed"), ("سالم", "Salim", "Salem"), ("ناصر", "Nasir", "Nasser"), ("طارق", "Tariq", "Tarek"),
    ("فيصل", "Faysal", "Faisal"), ("جمال", "Jamal", "Gamal"), ("كمال", "Kamal", "Kemal"), ("رشيد", "Rashid", "Rachid"),
    ("كريم", "Karim", "Kareem"), ("وليد", "Walid", "Waleed"), ("صالح", "Salih", "Saleh"), ("سمير", "Samir", "Sameer"),
    ("منصور", "Mansur", "Mansour"), ("ماجد", "Majid", "Maged"), ("زياد", "Ziyad", "Ziad"), ("هشام", "Hisham", "Hesham"),
    ("فاطمة", "Fatimah", "Fatma"), ("ليلى", "Layla", "Leila"), ("مريم", "Maryam", "Mariam"), ("نور", "Nur", "Noor"),
)  # fmt: skip
ARABIC_CONSONANTS = tuple(
    zip("بتجحخدرزسشصطغفقكلمن", _words(
        """
        b t j h kh d r z s sh s t gh f q k l m n
        """
    ), strict=True)
)  # fmt: skip
ARABIC_PATTERNS = (
    ("{0}{1}{2}", "{0}a{1}a{2}"),
    ("{0}ا{1}{2}", "{0}a{1}i{2}"),
    ("{0}{1}ي{2}", "{0}u{1}ay{2}"),
    ("{0}{1}ا{2}", "{0}i{1}a{2}"),
)
CHINESE_SURNAMES = _words(
    """
    王wang 李li 张zhang 刘liu 陈chen 杨yang 黄huang 赵zhao 吴wu 周zhou 徐xu 孙sun 马ma 朱zhu 胡hu 郭guo 何he 林lin
    高gao 罗luo 郑zheng 梁liang
    谢xie 宋song 唐tang 许xu 邓deng 韩han 冯feng 曹cao 彭peng 曾zeng 肖xiao 田tian 董dong 潘pan 袁yuan 蔡cai
    """
)
CHINESE_GIVEN = _words(
    """
    伟wei 芳fang 娜na 敏min 静jing 丽li 强qiang 磊lei 军jun 洋yang 勇yong 艳yan 杰jie 娟juan 涛tao 明ming 超chao
    霞xia 平ping 刚gang 桂gui
    英ying 华hua 玉yu 兰lan 红hong 建jian 文wen 国guo 春chun 海hai 志zhi 晓xiao 东dong 峰feng 龙long 云yun 鹏peng
    宇yu 浩hao 天tian 博bo 林lin
    新xin 成cheng 康kang 嘉jia 思si 佳jia 子zi 少shao 永yong 世shi 光guang 庆qing 德de 荣rong 福fu 安an 良liang
    """
)
WESTERN_GIVEN = _words(
    """
    Anna Antonio Beatriz Carlos Carmen Claire Daniel David Diego Eduardo Elena Emma Enrique Eric Fatou Felipe Francisco
    Gabriel George Giulia Gustavo Hannah Hector Helen Henrik Hugo Ibrahima Ines Isabel Jacob James Jan Javier Jean Joao
    John Jorge Jose Juan Julia Julio Karl Katarina Kevin Kofi Kwame Laura Lars Leon Linda Lucas Luca Luis Magnus Manuel
    Marco Maria Mario Marta Martin Mateo Matthew Mehmet Michael Miguel Monica Nadia Natalie Nicolas Nina Olivia Oscar
    Pablo Patricia Paul Pedro Peter Pierre Rafael Ramon Ricardo Robert Roberto Rosa Samuel Sandra Sara Sean Sofia Stefan
    Susan Thomas Tobias Victor William
    """
)
SYLLABLES = _words(
    """
    al an ar bal bar ben ber bo bran bro bur cal can car cas cha co cor cru da del den do du el en er fa fer fi fo fran
    gar gi gon gra gu hal har hen her hol hu ib in ja jo ka kel ki ko kra la lan le lin lo lu ma man mar me mi mo mon na
    ne ni no nu ol or pa pe per pi po ra re ri ro ru sa san se si so sta su ta te ti to tor tu va ve vi vo wal we wi wo za
    zi
    """
)
WESTERN_ENDINGS = _words(
    """
    a o ez son sen mann er ini ard eau ton ley ford berg stein sky ic as es ado ano ier etti
    """
)
COMPANY_WORDS = _words(
    """
    Agro Alpha Amber Anchor Arrow Atlas Aurora Azure Bay Beacon Blue Bridge Bright Canal Castle Cedar Central Cobalt Coral
    Crest Crown Delta Desert Eagle East Ember Falcon Fern Forest Frontier Gate Global Golden Granite Green Harbor Harvest
    Horizon Iron Island Jade Lake Lion Lotus Marine Meridian Metal Mountain Noble North Ocean Olive Orient Pacific Palm
    Pearl Pine Pioneer Polar Prime Quartz River Royal Sapphire Sea Shield Silk Silver Sky South Spring Star Steel Stone
    Summit Sun Swift Terra Tide Tower Unity Valley Vector Vista West White Wind
    """
)
COMPANY_KINDS = _words(
    """
    TRADING SHIPPING LOGISTICS ENGINEERING PETROLEUM COMMODITIES AVIATION CONSTRUCTION ELECTRONICS EXCHANGE
    """
)
COMPANY_FORMS = ("LLC", "LTD", "CO.", "FZE", "GMBH", "S.A.", "PJSC", "LIMITED", "COMPANY", "GROUP")
COUNTRIES = (
    "Iran",
    "Russia",
    "Syria",
    "Iraq",
    "China",
    "Korea, North",
    "Mexico",
    "Colombia",
    "Cuba",
    "Belarus",
    "Lebanon",
    "Yemen",
)
PROGRAMS = ("SDGT", "RUSSIA-EO14024", "IRAN", "DPRK3", "CYBER2", "SDNTK", "SYRIA", "BELARUS-EO14038")
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Made:
    """A name that was made up: as a list writes it, as people say it, and the same in other scripts and spellings."""

    surname: str
    given: str
    others: tuple[str, ...] = ()

    @property
    def listed(self) -> str:
        return f"{self.surname.upper()}, {self.given}"

    @property
    def said(self) -> str:
        return f"{self.given} {self.surname}"


@dataclass(slots=True)
class Row:
    """An entry of the made list."""

    uid: int
    kind: str
    names: list[Made]
    company: str = ""
    weak: str = ""
    born: date | None = None
    country: str = ""
    wallets: list[tuple[str, str]] = field(default_factory=list)


def romanised(text: str, system: str) -> str:
    """Cyrillic in one system's Latin letters."""
    letters = SYSTEMS[system].split()
    return "".join(letters[CYRILLIC[c]] for c in text).replace("-", "").capitalize()


def russian(rng: random.Random) -> Made:
    given = rng.choice(RUSSIAN_GIVEN)
    surname = rng.choice(RUSSIAN_STEMS) + rng.choice(RUSSIAN_MIDDLES) + rng.choice(RUSSIAN_ENDINGS)
    others = [f"{given.capitalize()} {surname.capitalize()}"]
    others += [
        f"{romanised(given, system)} {romanised(surname, system)}" for system in ("passport", "german", "scholarly")
    ]
    return Made(romanised(surname, "bgn"), romanised(given, "bgn"), tuple(others))


def arabic(rng: random.Random) -> Made:
    first, father = rng.sample(ARABIC_GIVEN, 2)
    consonants, pattern = rng.sample(ARABIC_CONSONANTS, 3), rng.choice(ARABIC_PATTERNS)
    written, spoken = pattern[0].format(*(c[0] for c in consonants)), pattern[1].format(*(c[1] for c in consonants))
    surname = f"Al-{spoken.capitalize()}i"
    others = (
        f"{first[0]} {father[0]} ال{written}ي",
        f"{first[2]} {father[2]} El {spoken.capitalize()}y",
        f"{first[2]} Al{spoken}i",
    )
    return Made(surname, f"{first[1]} {father[1]}", others)


def chinese(rng: random.Random) -> Made:
    surname, given = rng.choice(CHINESE_SURNAMES), rng.sample(CHINESE_GIVEN, rng.choice((1, 2, 2, 2)))
    spelled = [character[1:] for character in given]
    joined = "".join(spelled).capitalize()
    hanzi = surname[0] + "".join(character[0] for character in given)
    others = (
        hanzi,
        f"{surname[1:]} {' '.join(spelled)}",
        f"{joined} {surname[1:].capitalize()}",
        f"{surname[1:].upper()} {'-'.join(spelled)}",
    )
    return Made(surname[1:].capitalize(), joined, others)


def western(rng: random.Random) -> Made:
    syllables = "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((1, 2, 2))))
    given = rng.choice(WESTERN_GIVEN) + (f" {rng.choice(WESTERN_GIVEN)}" if rng.random() < 0.25 else "")
    return Made((syllables + rng.choice(WESTERN_ENDINGS)).capitalize(), given)


def person(rng: random.Random) -> Made:
    return rng.choices((russian, arabic, chinese, western), (30, 30, 6, 34))[0](rng)


def listed(size: int, seed: int) -> list[Row]:
    """The entries of a list: half people, most others companies, a tenth ships and aircraft."""
    rng = random.Random(f"list {seed}")
    rows = []
    for uid in range(1, size + 1):
        kind = rng.choices(("individual", "-0-", "vessel", "aircraft"), (50, 40, 9, 1))[0]
        row = Row(uid, kind, [], country=rng.choice(COUNTRIES))
        if kind == "individual":
            row.names = [person(rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
            row.born = date(1940, 1, 1) + timedelta(days=rng.randrange(365 * 60)) if rng.random() < 0.85 else None
            row.weak = rng.choice(COMPANY_WORDS) if rng.random() < 0.08 else ""
        else:
            row.company = (
                company(rng) if kind == "-0-" else f"{rng.choice(COMPANY_WORDS)} {rng.choice(COMPANY_WORDS)}".upper()
            )
        if rng.random() < 0.03:
            row.wallets = [wallet(rng) for _ in range(rng.randrange(1, 4))]
        rows.append(row)
    return rows


def company(rng: random.Random) -> str:
    coined = ("".join(rng.choice(SYLLABLES) for _ in range(3))).upper()
    return f"{coined} {rng.choice(COMPANY_WORDS).upper()} {rng.choice(COMPANY_KINDS)} {rng.choice(COMPANY_FORMS)}"


def wallet(rng: random.Random) -> tuple[str, str]:
    if rng.random() < 0.5:
        return rng.choice(("ETH", "USDT")), "0x" + hashlib.sha256(rng.randbytes(8)).hexdigest()[:40]
    from wallets.chains import base58

    return "XBT", base58.encode(b"\0" + hashlib.sha256(rng.randbytes(8)).digest()[:20])


def files(rows: list[Row]) -> dict[str, bytes]:
    """The list as OFAC publishes it: sdn.csv, alt.csv and add.csv, each with its closing control character."""
    sdn, alt, add = io.StringIO(), io.StringIO(), io.StringIO()
    writers = [csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n") for file in (sdn, alt, add)]
    none = "-0- "
    for row in rows:
        name = row.names[0].listed if row.names else row.company
        program = PROGRAMS[row.uid % len(PROGRAMS)]
        writers[0].writerow([row.uid, name, row.kind, program, *[none] * 7, _remarks(row)])
        for number, other in enumerate(row.names[1:]):
            writers[1].writerow([row.uid, row.uid * 10 + number, "aka", other.listed, none])
        writers[2].writerow([row.uid, row.uid * 10, none, none, row.country, none])
    return {
        f"{name}.csv": file.getvalue().encode() + b"\x1a\r\n"
        for name, file in (("sdn", sdn), ("alt", alt), ("add", add))
    }


def _remarks(row: Row) -> str:
    parts = [f"DOB {row.born:%d %b %Y}"] if row.born else []
    parts += [f"nationality {row.country}"] if row.kind == "individual" else []
    for number, (currency, address) in enumerate(row.wallets):
        parts.append(f"{'alt. ' if number else ''}Digital Currency Address - {currency} {address}")
    parts += [f"a.k.a. '{row.weak.upper()}'"] if row.weak else []
    return "; ".join(parts) + "." if parts else "-0- "


def one_edit(text: str, rng: random.Random) -> str:
    """A typing error: a letter (or a space) too many, too few, another one, or two swapped."""
    while True:
        at, kind, letter = rng.randrange(len(text)), rng.randrange(4), rng.choice(ALPHABET)
        changed = (
            text[:at] + text[at + 1 :],
            text[:at] + letter + text[at:],
            text[:at] + letter + text[at + 1 :],
            text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :],
        )[kind]
        if changed.split() != text.split():
            return changed


def population(size: int, seed: int) -> list[tuple[str, date, str]]:
    """Customers who are on no list: a name, a birth date and a country."""
    rng = random.Random(f"people {seed}")
    people = []
    for _ in range(size):
        made = rng.choices((russian, arabic, chinese, western), (15, 12, 8, 65))[0](rng)
        born = date(1950, 1, 1) + timedelta(days=rng.randrange(365 * 55))
        people.append(
            (made.said, born, rng.choice(("DE", "FR", "US", "GB", "BR", "IN", "TR", "RU", "CN", "EG", "MX", "NG")))
        )
    return people
