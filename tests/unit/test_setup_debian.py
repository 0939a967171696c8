"""Choosing Debian packages without apt: the order of versions, the reading of an index, the closure of what a program needs."""

import shutil
from pathlib import Path

import pytest

from deploy.setup import debarchive, debindex, debversion, places
from deploy.setup.failures import SetupError

# The examples of deb-version(7) and of dpkg's own test suite, older first.
ASCENDING = [
    ("1.0~rc1", "1.0"),
    ("1.0~beta1~svn1245", "1.0~beta1"),
    ("1.0~~", "1.0~"),
    ("1.0", "1.0+b1"),
    ("1.0", "1.0a"),
    ("1.0a", "1.0+"),
    ("1.9", "1.10"),
    ("1.2.3-1", "1.2.3-2"),
    ("1.2.3-9", "1.2.3-10"),
    ("1.2.3~bpo13+1", "1.2.3"),
    ("29.5.knots20260508-1~bpo13+1", "29.5.knots20260508-1"),
    ("9.9", "1:0.1"),
    ("2:1.0", "10:1.0"),
    ("1.0", "1.0-1"),
    ("1.0-1-1", "1.0-1-2"),
]


@pytest.mark.parametrize(("older", "newer"), ASCENDING)
def test_versions_are_ordered_as_dpkg_orders_them(older, newer):
    assert debversion.compare(older, newer) == -1
    assert debversion.compare(newer, older) == 1


@pytest.mark.parametrize(("left", "right"), [("1.0", "1.0"), ("0:1.0", "1.0"), ("1.0-0", "1.0"), ("1.02", "1.2")])
def test_versions_that_dpkg_calls_equal(left, right):
    assert debversion.compare(left, right) == 0


@pytest.mark.parametrize(
    ("version", "relation", "wanted", "met"),
    [
        ("2.41-12", ">=", "2.38", True),
        ("2.36-9", ">=", "2.38", False),
        ("1.0", "<<", "1.0", False),
        ("1.0", "<=", "1.0", True),
        ("1.0-1", ">>", "1.0", True),
        ("150.0-1", "=", "150.0-1", True),
    ],
)
def test_constraints(version, relation, wanted, met):
    assert debversion.satisfies(version, relation, wanted) is met


def stanza(name, version="1.0", *, depends="", provides="", sha256="ab" * 32):
    lines = [f"Package: {name}", f"Version: {version}", "Architecture: amd64"]
    lines += [f"Depends: {depends}"] if depends else []
    lines += [f"Provides: {provides}"] if provides else []
    lines += [f"Filename: pool/{name}_{version}_amd64.deb", "Size: 1000"]
    lines += [f"SHA256: {sha256}"] if sha256 else []
    lines += ["Description: text", " that goes on: with a colon", " ."]
    return "\n".join(lines)


def index(*stanzas):
    built = debindex.Index()
    built.add(debindex.parse("\n\n".join(stanzas) + "\n"))
    return built


def names(packages):
    return [package.name for package in packages]


def test_an_index_is_read():
    [package] = debindex.parse(stanza("litecoind", "0.21.4-1", depends="libc6 (>= 2.38), a | b (<< 2)"))
    assert (package.name, package.version, package.size_bytes) == ("litecoind", "0.21.4-1", 1000)
    assert package.depends == (
        (debindex.Atom("libc6", ">=", "2.38"),),
        (debindex.Atom("a"), debindex.Atom("b", "<<", "2")),
    )


def test_a_package_without_a_hash_is_never_chosen():
    assert list(debindex.parse(stanza("evil", sha256=""))) == []


def test_architecture_marks_of_names_are_read_over():
    assert debindex.atoms("python3:any (>= 3.11~)") == ((debindex.Atom("python3", ">=", "3.11~"),),)


def test_the_closure_has_each_package_once_even_in_a_circle():
    packages = index(stanza("a", depends="b, c"), stanza("b", depends="c"), stanza("c", depends="a"), stanza("other"))
    assert names(debindex.closure(packages, wanted=["a"])) == ["a", "b", "c"]


def test_the_first_alternative_that_exists_is_taken():
    packages = index(stanza("a", depends="gone | b | c"), stanza("b"), stanza("c"))
    assert names(debindex.closure(packages, wanted=["a"])) == ["a", "b"]


def test_an_alternative_that_is_there_already_is_enough():
    packages = index(stanza("a", depends="c, b | c"), stanza("b"), stanza("c"))
    assert names(debindex.closure(packages, wanted=["a"])) == ["a", "c"]


def test_a_virtual_package_is_met_by_who_provides_it():
    packages = index(stanza("a", depends="mail"), stanza("postfix", provides="mail, mta (= 3)"))
    assert names(debindex.closure(packages, wanted=["a"])) == ["a", "postfix"]


def test_a_versioned_need_takes_no_unversioned_provider():
    packages = index(stanza("a", depends="mail (>= 2)"), stanza("postfix", provides="mail"))
    with pytest.raises(SetupError, match="mail >= 2"):
        debindex.closure(packages, wanted=["a"])


def test_stable_comes_before_backports_unless_it_is_too_old():
    stable = stanza("lib", "1.0", sha256="11" * 32)
    backport = stanza("lib", "2.0~bpo1", sha256="22" * 32)
    easy = index(stanza("a", depends="lib"), stable, backport)
    demanding = index(stanza("a", depends="lib (>= 1.5)"), stable, backport)
    assert [package.version for package in debindex.closure(easy, wanted=["a"])] == ["1.0", "1.0"]
    assert [package.version for package in debindex.closure(demanding, wanted=["a"])] == ["1.0", "2.0~bpo1"]


def test_what_only_installers_need_stays_out_with_all_it_would_bring():
    packages = index(stanza("a", depends="debconf | debconf-2.0, b"), stanza("debconf", depends="perl"), stanza("b"))
    assert names(debindex.closure(packages, wanted=["a"], without={"debconf"})) == ["a", "b"]


def test_two_versions_of_one_package_are_refused():
    packages = index(
        stanza("a", depends="b, c"),
        stanza("b", depends="lib (<< 2)"),
        stanza("c", depends="lib (>= 2)"),
        stanza("lib", "1.0", sha256="11" * 32),
        stanza("lib", "2.0", sha256="22" * 32),
    )
    with pytest.raises(SetupError, match="two versions of lib"):
        debindex.closure(packages, wanted=["a"])


SIGNED = """-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Origin: Debian
MD5Sum:
 00000000000000000000000000000000 5 main/binary-amd64/Packages.xz
SHA256:
 {good} 5 main/binary-amd64/Packages.xz
 {other} 5 main/binary-arm64/Packages.xz
-----BEGIN PGP SIGNATURE-----

SHA256:
 {bad} 5 main/binary-amd64/Packages.xz
-----END PGP SIGNATURE-----
SHA256:
 {bad} 5 main/binary-amd64/Packages.xz
"""


def test_the_digest_comes_from_the_signed_part_alone():
    release = SIGNED.format(good="1" * 64, other="2" * 64, bad="3" * 64)
    assert debarchive.stated_digest(release, path="main/binary-amd64/Packages.xz") == "1" * 64


def test_what_stands_before_the_signed_part_is_not_believed():
    release = SIGNED.format(good="1" * 64, other="2" * 64, bad="3" * 64)
    forged = release.replace("Hash: SHA256\n", f"SHA256:\n {'3' * 64} 5 main/binary-amd64/Packages.xz\n", 1)
    assert debarchive.stated_digest(forged, path="main/binary-amd64/Packages.xz") == "1" * 64


def test_a_release_without_the_index_says_so():
    release = SIGNED.format(good="1" * 64, other="2" * 64, bad="3" * 64)
    with pytest.raises(SetupError, match="contrib"):
        debarchive.stated_digest(release, path="contrib/binary-amd64/Packages.xz")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A copy of the Release file that set-up fetched from Debian."""
    fetched = places.cache() / "debian" / "trixie" / "InRelease"
    if not fetched.exists() or shutil.which("gpgv") is None:
        pytest.skip("nothing was fetched from Debian here, or there is no gpgv")
    return Path(shutil.copy(fetched, tmp_path))


def test_debians_own_release_file_is_believed(release):
    debarchive._verify_signature(release, step="test")


def test_a_release_file_that_was_altered_is_refused(release):
    text = release.read_text()
    line = next(
        line for line in text.splitlines() if line.endswith(" main/binary-amd64/Packages.xz") and len(line) > 70
    )
    release.write_text(text.replace(line, line.replace(line.split()[0], "0" * 64)))
    with pytest.raises(SetupError, match="not signed by a Debian key"):
        debarchive._verify_signature(release, step="test")


def test_a_release_file_of_withdrawn_keys_is_refused(release, tmp_path, monkeypatch):
    """With no keyring but that of withdrawn keys, nobody vouches for the file: it counts as a machine without keys."""
    said = []
    monkeypatch.setattr(debarchive, "KEYRINGS", tmp_path)
    monkeypatch.setattr(debarchive, "say", lambda step, text: said.append(text))
    (tmp_path / "debian-archive-removed-keys.gpg").touch()
    debarchive._verify_signature(release, step="test")
    assert ["not checked" in text for text in said] == [True]
