"""The site's languages: what people read is gathered from the sources into locale/, and what was translated is compiled.

Without GNU gettext: Babel reads and writes the catalogues. Three of them for each language:
- `django`: templates and Python, which Django shows by itself;
- `djangojs`: what scripts say (static/src/lib/words.js), compiled into static/words/<language>.js;
- `errors`: the sentences of the domain's errors: English in the API, translated on pages (exchange/site/said.py).

What must never happen here: a translation lost by a run of `extract`, or a half-written file that a running site reads.
"""
