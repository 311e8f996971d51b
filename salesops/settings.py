"""Settings: one path for the embedded engines and for production; everything secret comes from the environment."""

import logging
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from salesops import engines, logs

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)
# Embedded engines mean one machine and one team trying the product out: a key made on first start is safe there.
EMBEDDED = not env.str("DATABASE_URL", default="")
DATA_DIR = engines.data_dir()
SECRET_KEY = env.str("SECRET_KEY", default="") or (engines.local_secret_key() if EMBEDDED else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("Set SECRET_KEY: it signs sessions, unsubscribe links and suppression hashes.")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"] if EMBEDDED else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
#: Where people and unsubscribe links reach this installation.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000")

INSTALLED_APPS = [
    "salesops.admin_config.SalesOpsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django_htmx",
    "template_partials",
    "pgtrigger",
    "axes",
    "csp",
    "django_structlog",
    "salesops",
    "playbooks",
    "prospects",
    "approvals",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "salesops.middleware.SecurityHeadersMiddleware",
    "salesops.middleware.ClientMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "salesops.middleware.NoNulMiddleware",
    "salesops.middleware.RefusalMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "salesops.urls"
WSGI_APPLICATION = "salesops.wsgi.application"

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
                "salesops.context_processors.shell",
            ],
        },
    },
]

# --- State -----------------------------------------------------------------------------------------------------------
URLS = engines.urls()
DATABASES = {"default": env.db_url_config(URLS.database_url)}
DATABASES["default"]["TEST"] = {"NAME": "salesops_test"}
if env.bool("SALESOPS_WEB", default=False):
    # The pool belongs to the threaded web process alone: a prefork worker would share its sockets between children.
    pool = {"min_size": 2, "max_size": 12, "timeout": 10}
    # Beside what the address itself asks for, sslmode for instance.
    DATABASES["default"]["OPTIONS"] = DATABASES["default"].get("OPTIONS", {}) | {"pool": pool}
    DATABASES["default"]["CONN_MAX_AGE"] = 0
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
# A connection that outlived a restart of the database is replaced, not handed to somebody's page.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": URLS.cache_url,
        "KEY_PREFIX": "salesops",
        # A Redis that hangs must not hang every page with it.
        "OPTIONS": {"socket_timeout": 5, "socket_connect_timeout": 5},
    }
}
SESSION_ENGINE = "salesops.sessions"

# --- People ----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "playbooks.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"  # Django's form calls the address so; axes would look for "email"
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_CALLABLE = "salesops.views.sign_in.locked_out"
# Links to a new password that may be asked for within AXES_COOLOFF_TIME; people of one office share a source.
LINKS_AN_ADDRESS, LINKS_A_SOURCE = 5, 20
CSRF_FAILURE_VIEW = "salesops.views.errors.csrf_failure"

# --- Security --------------------------------------------------------------------------------------------------------
SECURE_TLS = env.bool("SECURE_TLS", default=not EMBEDDED)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_TLS
SECURE_SSL_REDIRECT = False  # unsubscribe POSTs must not be redirected (RFC 8058); the proxy redirects people
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_TLS
# No redirect: see above. No preload: that binds a whole domain, for years, and is its owner's to ask for.
SILENCED_SYSTEM_CHECKS = ["security.W008", "security.W021"]
if env.bool("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    # Everybody seems to come from the proxy otherwise, and whoever guesses passwords locks their owners out, too.
    AXES_CLIENT_IP_CALLABLE = "salesops.views.sign_in.address_behind_proxy"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # a whole playbook is one form in the admin

# --- Words, time, files ----------------------------------------------------------------------------------------------
TIME_ZONE = "UTC"
USE_I18N = False
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # A checkout shows its own files, whatever was collected there once.
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if EMBEDDED
        else "salesops.storage.CollectedStaticFiles"
    },
}
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(DATA_DIR / "media"))  # uploads: never served as static files
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=200_000_000)  # larger files go through import_prospects
IMPORT_MAX_UNPACKED_BYTES = env.int("IMPORT_MAX_UNPACKED_BYTES", default=1_000_000_000)  # what a gzipped one may become

# --- Celery: nudges only; due work is always found again in PostgreSQL ------------------------------------------------
CELERY_BROKER_URL = URLS.celery_url
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_TASK_TIME_LIMIT = 600
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # Redis may be away for a while; a worker waits for it
# What runs longer is handed out a second time: all time limits are below it but an import's, which notices. A Redis
# that hangs is given up, so that no page waits for ever to send a nudge; workers ask it once a second.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 1200, "socket_timeout": 10, "socket_connect_timeout": 5}
CELERY_TASK_ROUTES = {
    # Quick sweeps must not wait behind research; a whole name goes before a pattern.
    "prospects.tasks.sweep_funnel": {"queue": "default"},
    "prospects.tasks.count_funnel": {"queue": "default"},
    "prospects.tasks.sweep_imports": {"queue": "default"},
    "prospects.tasks.sweep_duplicates": {"queue": "default"},
    "prospects.tasks.sweep_triggers": {"queue": "default"},
    "prospects.tasks.work_on_many": {"queue": "default"},
    "prospects.tasks.sweep_bulk": {"queue": "default"},
    "prospects.tasks.sweep_what_ifs": {"queue": "default"},
    "prospects.tasks.wake_prospects": {"queue": "default"},
    "prospects.tasks.*": {"queue": "research"},
    "approvals.tasks.*": {"queue": "outreach"},
    "playbooks.tasks.*": {"queue": "learning"},
}
# Every so many seconds, or by the clock. A nudge that waited for two rounds is dropped: a later one does the same work.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "outbox": {"task": "approvals.tasks.sweep_outbox", "schedule": 5.0, "options": {"expires": 10}},
    "stale": {"task": "approvals.tasks.recover_stale_dispatches", "schedule": 15.0, "options": {"expires": 30}},
    "unknown": {"task": "approvals.tasks.reconcile_unknown_dispatches", "schedule": 15.0, "options": {"expires": 30}},
    "next steps": {"task": "approvals.tasks.sweep_next_steps", "schedule": 15.0, "options": {"expires": 30}},
    "requests": {"task": "approvals.tasks.expire_requests", "schedule": 60.0, "options": {"expires": 120}},
    "stops": {"task": "approvals.tasks.call_off_stopped", "schedule": 60.0, "options": {"expires": 120}},
    "convergences": {"task": "prospects.tasks.sweep_convergences", "schedule": 30.0, "options": {"expires": 60}},
    "what-ifs": {"task": "prospects.tasks.sweep_what_ifs", "schedule": 30.0, "options": {"expires": 60}},
    "waking": {"task": "prospects.tasks.wake_prospects", "schedule": 30.0, "options": {"expires": 60}},
    "triggers": {"task": "prospects.tasks.sweep_triggers", "schedule": 30.0, "options": {"expires": 60}},
    "funnel": {"task": "prospects.tasks.sweep_funnel", "schedule": 15.0, "options": {"expires": 30}},
    "duplicates": {"task": "prospects.tasks.sweep_duplicates", "schedule": 60.0, "options": {"expires": 120}},
    "imports": {"task": "prospects.tasks.sweep_imports", "schedule": 30.0, "options": {"expires": 60}},
    "forgetting": {
        "task": "prospects.tasks.forget_answers",
        "schedule": crontab(hour=3, minute=20),
        "options": {"expires": 3600},
    },
    "bulk": {"task": "prospects.tasks.sweep_bulk", "schedule": 30.0, "options": {"expires": 60}},
}

# --- Logs: ids and outcomes, no addresses -----------------------------------------------------------------------------
LOGGING = logs.config()
DJANGO_STRUCTLOG_CELERY_ENABLED = True  # a task carries the request and trace ids of whatever caused it
DJANGO_STRUCTLOG_CELERY_DEFAULT_LOG_LEVEL = logging.DEBUG  # sweeps run every few seconds; failures still show
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

# --- Sending ---------------------------------------------------------------------------------------------------------
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
#: Who writes what SalesOps itself has to say: links that reset a password.
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"SalesOps <noreply@{urlsplit(PUBLIC_URL).hostname}>")
EMAIL_TIMEOUT = SMTP_TIMEOUT = env.int("SMTP_TIMEOUT", default=20)
SENDING_LEASE_SECONDS = env.int("SENDING_LEASE_SECONDS", default=120)  # well over twice the SMTP timeout
# The sandbox's own SMTP server: every message of a client in sandbox mode is really sent, to here, and goes no further.
SANDBOX_SMTP_HOST = "127.0.0.1"
SANDBOX_SMTP_PORT = env.int("SANDBOX_SMTP_PORT", default=8025)

# --- Outside sources: what no playbook can widen ----------------------------------------------------------------------
#: Tells the sites we read who reads them; an address for complaints belongs in it.
SOURCES_USER_AGENT = env.str("SOURCES_USER_AGENT", default=f"SalesOps/0.1 (+{PUBLIC_URL})")
#: host:port pairs that may be private and on any port. Everything else private is refused.
SOURCES_ALLOW_HOSTS = env.list("SOURCES_ALLOW_HOSTS", default=[])
SOURCES_FOLDER = env.path("SOURCES_FOLDER", default=str(DATA_DIR / "sources"))  # where file sources lie
SOURCES_THREADS = env.int("SOURCES_THREADS", default=16)
SOURCES_REQUEST_SECONDS = env.float("SOURCES_REQUEST_SECONDS", default=30)
SOURCES_BATCH_SECONDS = env.float("SOURCES_BATCH_SECONDS", default=240)  # well under the tasks' time limit
SOURCES_MAX_BYTES = env.int("SOURCES_MAX_BYTES", default=5_000_000)

# --- What sources and models said is kept for so many days (30 at least); that and when they were asked stays ---------
SOURCE_ANSWERS_KEPT_DAYS = env.int("SOURCE_ANSWERS_KEPT_DAYS", default=90)
MODEL_ANSWERS_KEPT_DAYS = env.int("MODEL_ANSWERS_KEPT_DAYS", default=180)

# --- Language models: none is asked until a playbook gives an agent to one and a key is set ---------------------------
LLM = {
    # One model by what it is good at; a playbook may name another for one of its agents.
    "MODELS": {
        "fast": env.str("LLM_MODEL_FAST", default="anthropic:claude-haiku-5-5"),
        "search": env.str("LLM_MODEL_SEARCH", default="anthropic:claude-haiku-5-5"),
        "analysis": env.str("LLM_MODEL_ANALYSIS", default="anthropic:claude-haiku-5-5"),
        "writing": env.str("LLM_MODEL_WRITING", default="anthropic:claude-sonnet-5-5"),
    },
    # Money for a million tokens. A model without a price is never asked: no ceiling could hold it.
    "PRICES": {
        "anthropic:claude-haiku-5-5": {"in": "0.50", "out": "2.50"},
        "anthropic:claude-sonnet-5-5": {"in": "2", "out": "10"},
        "anthropic:claude-opus-5-5": {"in": "4", "out": "20"},
        **env.json("LLM_PRICES", default={}),
    },
    # How much of a playbook's currency one unit of the price list's currency is.
    "RATES": {"USD": 1, **env.json("LLM_RATES", default={})},
    "KEYS": {
        "anthropic": env.str("ANTHROPIC_API_KEY", default=""),
        "openai": env.str("OPENAI_API_KEY", default=""),
        "google": env.str("GOOGLE_API_KEY", default=""),
    },
    # A server of one's own that speaks a provider's protocol.
    "BASE_URLS": {
        "anthropic": env.str("LLM_ANTHROPIC_URL", default=""),
        "openai": env.str("LLM_OPENAI_URL", default=""),
        "google": env.str("LLM_GOOGLE_URL", default=""),
    },
    "CONCURRENCY": env.int("LLM_CONCURRENCY", default=32),
    "SLOTS_FOLDER": DATA_DIR / "models",  # processes of one machine share the questions at once
    "TIMEOUT": env.float("LLM_TIMEOUT", default=60),
    "ATTEMPTS": env.int("LLM_ATTEMPTS", default=3),
    "ASK_SECONDS": env.float("LLM_ASK_SECONDS", default=300),  # well under the tasks' time limit
}
