"""What every process shares. Nothing here is a secret, and nothing here opens a key.

What must never happen here: a default that is safe only on a developer's machine (those stand in dev.py), or a setting of
the signer's (KEYSTORE_PATH and its passphrase stand in signer.py alone, so that no web process knows where they are).
"""

from pathlib import Path

from config import chains, egress
from config.environment import broker_url, count, database, env, read_secret
from config.factors import *  # noqa: F403
from config.guarding import *  # noqa: F403
from config.identity import *  # noqa: F403
from config.identity import PROVIDER_APPS, PROVIDER_ORIGINS
from config.identity_checks import *  # noqa: F403
from config.languages import *  # noqa: F403
from config.sanctions import *  # noqa: F403
from config.telling import *  # noqa: F403
from exchange.site.api.settings import API_LIMITS as API_LIMITS
from exchange.site.api.settings import REST_FRAMEWORK as REST_FRAMEWORK
from exchange.site.api.settings import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from exchange.site.api.settings import WEBSOCKET_LIMITS as WEBSOCKET_LIMITS

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DEBUG = False
DEMO = False  # demo-only behaviour: simulated prices, demo traders; config.settings.prod refuses to start with it
SECRET_KEY = ""
ALLOWED_HOSTS: list[str] = []
SITE_URL = env.str("SITE_URL", "http://127.0.0.1:8000")

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "exchange.accounts.admin_app.StaffAdmin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "django_htmx",
    "django_otp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    *PROVIDER_APPS,
    "allauth.headless",
    "allauth.usersessions",
    "axes",
    "csp",
    "exchange.outbox",
    "exchange.secrets",
    "exchange.audit",
    "exchange.proposals",
    "exchange.ledger",
    "exchange.accounts",
    "exchange.assets",
    "exchange.notifications",
    "kyc",
    "custody",
    "wallets",
    "trading",
    "exchange.flows",
    "exchange.fiat",
    "exchange.invoices",
    "exchange.compliance",
    "exchange.site",
    "exchange.backoffice",
]

MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # no cookie of its own
MIDDLEWARE = [
    "config.health.RequestMetrics",
    "exchange.site.api.middleware.ApiMiddleware",
    "exchange.site.headless.HeadlessMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.staticfiles.StaticFiles",
    "csp.middleware.CSPMiddleware",
    "exchange.site.maintenance.ClosedForMaintenance",
    "config.policy.AdminContentPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "exchange.site.languages.PagesInTheReadersLanguage",
    "allauth.account.middleware.AccountMiddleware",
    "exchange.accounts.middleware.KnownBrowser",
    "exchange.accounts.second_factors.otp.VerifiedByAllauth",
    "exchange.accounts.staff_deeds.StaffDeeds",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "exchange.site.middleware.DomainErrorPages",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "exchange.site.context.site",
            ],
        },
    },
]

# --- Data ---------------------------------------------------------------------------------------------------------
# `default` is the run-time role; `owner` migrates. Both are the same database.
DATABASES = {"default": database("DATABASE_URL"), "owner": database("DATABASE_OWNER_URL")}
DATABASE_ROUTERS = ["config.routers.OwnerMigrates"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.str("REDIS_URL", "")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
}

# --- People -------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "exchange.accounts.passwords.validators.NotTooLong"},
    {"NAME": "exchange.accounts.passwords.validators.NotBreached"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "site:wallet"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = False  # every change of a credential is told by our own mail, with a way to undo it
ACCOUNT_ADAPTER = "exchange.accounts.adapters.AccountAdapter"
# allauth would count failures by address alone, and so let anybody lock anybody out; axes counts address and peer together.
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip"}
HEADLESS_ENABLED = True
HEADLESS_CLIENTS = ("app",)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_HTTPONLY = False  # the pages' scripts read it to send X-CSRFToken
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "exchange.site.errors.csrf_failure"
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Bourse <no-reply@localhost>")
EMAIL_TIMEOUT = 10
AXES_FAILURE_LIMIT = 10
AXES_VERBOSE = False  # no line of its own at each start of a process
AXES_ENABLE_ADMIN = False  # rows of attempts are nobody's to edit; a lock lasts a quarter of an hour
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "exchange.accounts.watching.attempted_email"
AXES_CLIENT_IP_CALLABLE = "exchange.accounts.watching.attempted_from"
AXES_LOCKOUT_CALLABLE = "exchange.site.errors.locked_out"
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # never the user alone: nobody can lock somebody else out

# --- Celery -------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = broker_url(REDIS_URL)
# A task is sent after a commit, inside a request: a broker that is down may cost it two seconds, never a long retry.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
    "connect_retries_timeout": 2,
    "socket_connect_timeout": 2,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- API ----------------------------------------------------------------------------------------------------------
# REST_FRAMEWORK, SPECTACULAR_SETTINGS, API_LIMITS and WEBSOCKET_LIMITS stand in exchange/site/api/settings.py.
# How many of X-Forwarded-For's last entries are our own proxies'. Production has to say it, were it 0.
TRUSTED_PROXY_COUNT = count("TRUSTED_PROXY_COUNT")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

# --- The line from a web process to the engine --------------------------------------------------------------------
# Stated here and not as defaults where they are used: a setting that is missing costs a microsecond each time it is asked for.
ENGINE_BACKLOG_MAX = 20_000  # commands that may wait in a shard's stream; beyond it an order is refused at once
ENGINE_REPLY_TIMEOUT_S = 5.0

# --- Chains: where each network's node answers; config/chains.py says which variables ------------------------------
CHAINS = chains.rows()

# --- Prices -------------------------------------------------------------------------------------------------------
PRICE_SOURCE = env.str(
    "PRICE_SOURCE", ""
)  # "coinmarketcap" or "simulated"; empty: what there is a key for, or the demo's
PRICE_REFRESH_S = env.int("PRICE_REFRESH_S", 60)
PRICE_SIMULATION_SEED = env.int("PRICE_SIMULATION_SEED", 1)
# What limits are counted in: a listed asset that is known a price of. To be chosen before the first customer comes.
REFERENCE_CURRENCY = env.str("REFERENCE_CURRENCY", "USD")
KYC_FIRST_LEVEL = 1  # the level of customers whom nobody gave one
# Blocks that a reorganisation may take back by itself; a deeper one halts the network's scanner and stops withdrawals.
WALLETS_REORG_LIMIT = env.int("WALLETS_REORG_LIMIT", 100)
PRIVATE_CHAINS_ARE_FINAL = False  # tests of finality believe a private chain's node that a block is final
# A source whose newest block is older than so many block times (and ten minutes) is stuck; 0: never. Slow: seconds an answer.
WALLETS_STUCK_BLOCKS = env.int("WALLETS_STUCK_BLOCKS", 12)
WALLETS_SOURCE_SLOW_SECONDS = env.int("WALLETS_SOURCE_SLOW_SECONDS", 5)
WALLETS_REBROADCAST_SECONDS = env.int("WALLETS_REBROADCAST_SECONDS", 30)
# A withdrawal waits until its customer followed the link in the e-mail; without it, a stolen session is enough to ask for one.
WITHDRAWAL_EMAIL_CONFIRMATION = env.bool("WITHDRAWAL_EMAIL_CONFIRMATION", True)
# So long a new entry of a customer's address book, and the loosening of his allow-list, wait before they hold.
WITHDRAWAL_ADDRESS_COOLDOWN_H = env.int("WITHDRAWAL_ADDRESS_COOLDOWN_H", 24)
# --- Coins out ----------------------------------------------------------------------------------------------------
# Withdrawals of a UTXO network that share one transaction at most, and how long the first of them waits for company.
WALLETS_BATCH_MAX = env.int("WALLETS_BATCH_MAX", 100)
WALLETS_BATCH_SECONDS = env.int("WALLETS_BATCH_SECONDS", 10)
# A transaction that so many blocks have passed by is bumped by itself.
WALLETS_BUMP_BLOCKS = env.int("WALLETS_BUMP_BLOCKS", 6)
# The most one transaction may cost, in base units of the chain's own coin, by network, or by family ("utxo", "evm") for one that
# is not named; and, where its customers pay their fees in that coin, in percent of what they agreed to. Above either a withdrawal
# waits, and a bump is refused.
WALLETS_FEE_CAP = env.dict(
    "WALLETS_FEE_CAP",
    cast={"value": int},
    default={
        "bitcoin": 1_000_000,
        "litecoin": 10_000_000,
        "utxo": 1_000_000,
        "ethereum": 5 * 10**16,
        "bsc": 5 * 10**15,
        "polygon": 5 * 10**18,
        "avalanche": 5 * 10**17,
        "fantom": 5 * 10**19,
        "evm": 10**16,
    },
)
WALLETS_FEE_CAP_SHARE = env.int("WALLETS_FEE_CAP_SHARE", 1_000)
# The most gas that the receiver of an EVM chain's own coin may burn by being paid; more where a chain's plain payments cost more.
WALLETS_NATIVE_GAS_MAX = env.int("WALLETS_NATIVE_GAS_MAX", 100_000)
# Small coins are gathered into one when a vkB (1,000 vbytes) costs at most this, and there are more than so many of them.
WALLETS_CONSOLIDATE_BELOW = env.dict(
    "WALLETS_CONSOLIDATE_BELOW", cast={"value": int}, default={"bitcoin": 3_000, "litecoin": 3_000}
)
WALLETS_CONSOLIDATE_COINS = env.int("WALLETS_CONSOLIDATE_COINS", 50)
WALLETS_CONSOLIDATE_SMALL = env.dict(
    "WALLETS_CONSOLIDATE_SMALL", cast={"value": int}, default={"bitcoin": 1_000_000, "litecoin": 100_000_000}
)
# Hours between the second person's yes to an edit of the withdrawal policy and its coming into force.
CUSTODY_POLICY_DELAY_H = env.int("CUSTODY_POLICY_DELAY_H", 24)
CMC_API_KEY = read_secret("CMC_API_KEY")
CMC_BASE_URL = env.str("CMC_BASE_URL", "https://pro-api.coinmarketcap.com")

# --- Calls to others ----------------------------------------------------------------------------------------------
# Only these places are called (exchange/outgoing): those of the services configured above. A developer's machine may call any.
EGRESS_ALLOWED_HOSTS: list[str] | None = egress.allowed(globals())
EGRESS_PROXY = env.str("EGRESS_PROXY", "")  # http://host:port that every such call goes through; HTTP_PROXY is not read

# --- Secrets ------------------------------------------------------------------------------------------------------
SECRETS_MASTER_KEY = read_secret("SECRETS_MASTER_KEY")
SECRETS_MASTER_KEYS_OLD = read_secret("SECRETS_MASTER_KEYS_OLD")
PRICE_SOURCE = env.str("PRICE_SOURCE", "")
PRODUCTION = False
SITE_NAME = env.str("SITE_NAME", "Bourse")
# While this file exists, pages and the API answer 503: the operator works on the site.
MAINTENANCE_FILE = env.str("MAINTENANCE_FILE", "")

# --- Back office --------------------------------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": "Bourse back office",
    "SITE_HEADER": "Bourse",
    "SITE_SUBHEADER": "back office",
    "SITE_URL": "/",
    "SITE_SYMBOL": "account_balance",
    "SHOW_HISTORY": False,
    "COLORS": "config.policy.no_colours",  # they stand in a style sheet: see config/policy.py
    "STYLES": ["config.policy.back_office_style", "config.policy.back_office_pages_style"],
    "SIDEBAR": {"show_search": True, "navigation": "exchange.backoffice.sidebar.navigation"},
    "DASHBOARD_CALLBACK": "exchange.backoffice.dashboard.add",
}

# --- Pages --------------------------------------------------------------------------------------------------------
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [
    BASE_DIR / "static" / "dist",
    BASE_DIR / "static" / "public",
    ("words", BASE_DIR / "static" / "words"),  # what scripts say in each language: deploy/languages.py writes it
]
STATIC_ROOT = env.str("STATIC_ROOT", str(BASE_DIR / "var" / "staticfiles"))
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        # The button of a provider posts to us and is sent on; Chromium holds that redirect to this list, too.
        "form-action": ["'self'", *PROVIDER_ORIGINS],
        "frame-ancestors": ["'none'"],
    },
}

LOGGING_CONFIG = "config.logs.configure"
LOGGING: dict[str, object] = {"level": env.str("LOG_LEVEL", "INFO"), "json": True}
