"""`python -m deploy.languages extract | missing | compile`; what each does stands in the package's docstring."""

import argparse
import sys

from deploy.languages import catalogues, compiling


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.languages", description=__doc__)
    parser.add_argument("job", choices=["extract", "missing", "compile"])
    job = parser.parse_args().job
    if job == "extract":
        catalogues.update()
    if job == "compile":
        for path in compiling.compile_all():
            print(path)
        return 0
    missing = [f"{language} {domain}: {text}" for language, domain, text in catalogues.missing()]
    print("\n".join([*missing, f"{len(missing)} without a translation"]))
    return 1 if missing and job == "missing" else 0


if __name__ == "__main__":
    sys.exit(main())
