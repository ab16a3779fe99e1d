"""What `--bin keeping` compares lastkeyd with: an escrow server as Django makes one, on PostgreSQL.

It does what the public description of Crypt-Server says (which is on no package index), and what lastkeyd does of it:

- A computer checks in over TLS with a token, which is looked up at each request by its SHA-256. The server encrypts the
  recovery password with a key of its own (Fernet), stores it if it is new, notes when the computer was there, and adds a
  row to the audit table: all in one transaction.
- A person who is signed in (django.contrib.auth, sessions in the database, the cookie) gets a page of HTML with the
  secrets whose ID begins with what was typed, by Django's template engine with compiled templates that are kept. As
  with lastkeyd, a search is not in the audit table; to show a secret would be.

It is set up as somebody who knows Django does it: no DEBUG, no access log, Django's usual middleware, an index that finds
beginnings, psycopg in C, a worker of gunicorn with threads for each processor. Crypt-Server's published settings say
nothing of keeping connections to the database, so each request opens one (Django's CONN_MAX_AGE is 0); with KEEP=1 they
are kept, which is the best that one can do.

It leaves out, which is to its favour: signatures of devices, an age file that the server cannot open, an audit log that
proves itself, receipts that are read back, keys that other accounts can open, check-ins of drives without a key.

    DATABASE=NAME HOST=FOLDER SECRET=TEXT [KEEP=1] gunicorn --workers 2 --certfile FILE --keyfile FILE escrow:application
"""

import base64
import datetime
import hashlib
import os
import sys

import django
from cryptography.fernet import Fernet
from django.conf import settings

KEYS = """<h1>Recovery keys</h1>
<form method="get" action="/search/" role="search" class="card">
<label>Key ID <span class="hint">The first 8 characters, from the blue screen.</span>
<input type="search" name="q" value="{{ q }}" autocomplete="off" maxlength="40"></label>
<button type="submit">Find</button>
</form>
<ul class="cards" role="list">
{% for secret in found %}<li class="card">
<h2><a href="/keys/{{ secret.id }}">{{ secret.key_id|slice:":8" }}</a></h2>
<dl class="facts">
<dt>Kind</dt><dd>{{ secret.secret_type }}</dd>
<dt>Computer</dt><dd>{{ secret.computer.computername }} ({{ secret.computer.serial }})</dd>
<dt>User</dt><dd>{{ secret.computer.username }}</dd>
<dt>Escrowed</dt><dd>{{ secret.date_escrowed|date:"Y-m-d" }}</dd>
</dl>
</li>
{% empty %}<li>No recovery key here begins with {{ q }}.</li>
{% endfor %}</ul>
"""
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Recovery keys</title><link rel="stylesheet" href="/static/style.css"></head>
<body><header><nav><a href="/">Keys</a> <a href="/computers">Computers</a> <a href="/account">Account</a></nav>
<span>{{ user.username }}</span></header>
<main>{% block body %}{% endblock %}</main></body></html>
"""

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["SECRET"],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    SESSION_COOKIE_SECURE=True,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.cached.Loader",
                        [
                            (
                                "django.template.loaders.locmem.Loader",
                                {
                                    "page.html": PAGE,
                                    "keys.html": '{% extends "page.html" %}{% block body %}' + KEYS + "{% endblock %}",
                                },
                            )
                        ],
                    )
                ],
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                ],
            },
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["DATABASE"],
            "HOST": os.environ["HOST"],
            "USER": "lastkey",
            "CONN_MAX_AGE": None if os.environ.get("KEEP") else 0,
        }
    },
)
django.setup()

from django.contrib.auth.decorators import login_required  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

FERNET = Fernet(base64.urlsafe_b64encode(hashlib.sha256(settings.SECRET_KEY.encode()).digest()))
TOKEN = "0123456789abcdef0123456789abcdef"


class Computer(models.Model):
    serial = models.CharField(max_length=200, unique=True)
    token = models.BinaryField(max_length=32, unique=True)
    username = models.CharField(max_length=200)
    computername = models.CharField(max_length=200)
    last_checkin = models.DateTimeField(null=True)

    class Meta:
        app_label = "escrow"


class Secret(models.Model):
    computer = models.ForeignKey(Computer, on_delete=models.CASCADE)
    secret_type = models.CharField(max_length=50)
    key_id = models.CharField(max_length=36)
    secret = models.BinaryField()
    date_escrowed = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "escrow"
        # What startswith needs to be found by an index.
        indexes = [models.Index(fields=["key_id"], name="secret_key_id", opclasses=["varchar_pattern_ops"])]


class Audit(models.Model):
    at = models.DateTimeField(default=timezone.now)
    act = models.CharField(max_length=50)
    computer = models.ForeignKey(Computer, null=True, on_delete=models.SET_NULL)
    secret = models.ForeignKey(Secret, null=True, on_delete=models.SET_NULL)
    address = models.GenericIPAddressField(null=True)

    class Meta:
        app_label = "escrow"


def hashed(token):
    return hashlib.sha256(token.encode()).digest()


@csrf_exempt
def checkin(request):
    said = request.POST
    token = request.headers.get("Authorization", "").removeprefix("Token ")
    with transaction.atomic():
        computer = Computer.objects.select_for_update().filter(token=hashed(token)).first()
        if computer is None:
            return JsonResponse({"detail": "Invalid token."}, status=401)
        computer.username, computer.computername = said["username"], said["macname"]
        computer.last_checkin = timezone.now()
        computer.save(update_fields=["username", "computername", "last_checkin"])
        password = said["recovery_password"].encode()
        kept = computer.secret_set.filter(key_id=said["key_id"])
        if not any(FERNET.decrypt(bytes(secret.secret)) == password for secret in kept):
            secret = computer.secret_set.create(
                secret_type="recovery_key", key_id=said["key_id"], secret=FERNET.encrypt(password)
            )
            Audit.objects.create(
                act="escrow", computer=computer, secret=secret, address=request.META.get("REMOTE_ADDR") or None
            )
    return JsonResponse({"serial": computer.serial, "rotation_required": False})


@login_required
def search(request):
    q = request.GET["q"].strip().upper()
    found = Secret.objects.filter(key_id__startswith=q).select_related("computer").defer("secret").order_by("key_id")
    return render(request, "keys.html", {"q": q, "found": found[:50]})


urlpatterns = [path("checkin/", checkin), path("search/", search)]


def fill(records, folder):
    """Makes the tables, with so many records of a thousand computers, a person who is signed in, and a certificate.

    Prints that person's session.
    """
    from django.contrib.auth import get_user_model
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        for model in (Computer, Secret, Audit):
            editor.create_model(model)
    secret = FERNET.encrypt(b"284867-596541-514998-422114-660297-261613-215424-199408")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO escrow_computer (serial, token, username, computername, last_checkin)"
            " SELECT 'S' || n, sha256(convert_to('" + TOKEN + "' || n, 'UTF8')), 'somebody', 'PC-' || n, now()"
            " FROM generate_series(1, 1000) AS n"
        )
        cursor.execute(
            "INSERT INTO escrow_secret (computer_id, secret_type, key_id, secret, date_escrowed)"
            " SELECT 1 + n %% 1000, 'recovery_key', upper(gen_random_uuid()::text), %s, now()"
            " FROM generate_series(1, %s) AS n",
            [secret, records],
        )
        cursor.execute("VACUUM ANALYZE")
    user = get_user_model().objects.create_user("somebody", password=None)
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.save()
    certify(folder)
    sys.stdout.write(session.session_key)


def certify(folder):
    """Makes a certificate for localhost of the kind that lastkeyd makes."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=9))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = serialization.Encoding.PEM
    with open(os.path.join(folder, "certificate.pem"), "wb") as file:
        file.write(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    with open(os.path.join(folder, "key.pem"), "wb") as file:
        form = serialization.PrivateFormat.PKCS8
        file.write(key.private_bytes(pem, form, serialization.NoEncryption()))


application = get_wsgi_application()
