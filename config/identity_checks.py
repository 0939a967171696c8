"""Settings of identity checks: where documents and their keys lie, how long they are kept, who looks at them.

Plain values and environment alone. What must never happen here: a folder of keys inside a folder that is backed up.
"""

from config.environment import env, read_secret

# Sealed documents, outside the database and its backups; and the customers' keys, outside every backup that keeps a history.
KYC_DOCUMENTS_DIR = env.str("KYC_DOCUMENTS_DIR", "")
SUBJECT_KEYS_DIR = env.str("SUBJECT_KEYS_DIR", "")
# Years after the last decision, or the end of the last level, during which the law has us keep what was shown to us.
KYC_RETENTION_YEARS = env.int("KYC_RETENTION_YEARS", 5)
KYC_DRAFT_DAYS = env.int("KYC_DRAFT_DAYS", 90)  # an application that its customer left alone for so long is closed
KYC_VALID_DAYS = env.int("KYC_VALID_DAYS", 1095)  # how long an approval holds before it has to be renewed
KYC_NOTICE_DAYS = env.list("KYC_NOTICE_DAYS", cast=int, default=[30, 7])  # so long ahead its end is told
KYC_AGE_MIN = env.int("KYC_AGE_MIN", 18)
KYC_COUNTRIES_REFUSED = env.list("KYC_COUNTRIES_REFUSED", default=[])  # ISO 3166 alpha-2
KYC_FOUR_EYES_FROM = env.int("KYC_FOUR_EYES_FROM", 4)  # from this level on two people have to approve
# "manual": staff look at everything. "sumsub": the service looks first.
KYC_PROVIDER = env.str("KYC_PROVIDER", "manual")
SUMSUB_BASE_URL = env.str("SUMSUB_BASE_URL", "https://api.sumsub.com")
SUMSUB_APP_TOKEN = read_secret("SUMSUB_APP_TOKEN")
SUMSUB_SECRET_KEY = read_secret("SUMSUB_SECRET_KEY")
SUMSUB_WEBHOOK_SECRET = read_secret("SUMSUB_WEBHOOK_SECRET")
# Our levels by the names that the operator gave them there: "2=id-and-liveness,3=proof-of-address".
SUMSUB_LEVELS = env.dict("SUMSUB_LEVELS", cast={"key": int, "value": str}, default={})
# An upload stays in memory: a picture of a passport is never written to a disk in the clear.
FILE_UPLOAD_MAX_MEMORY_SIZE = 11 * 1024 * 1024
