"""What `--bin keeping` compares lastkeyd with: an escrow server as Django makes one, on PostgreSQL.

It does what the public description of Crypt-Server says (which is on no package index): a computer checks in with its
serial number and its recovery password, the server encrypts that with a key of its own (Fernet) and stores it if it
is new; people find a secret by its ID. The rest is left out, which is to its favour: no sign-in, no TLS, no audit.

    DATABASE=NAME HOST=FOLDER gunicorn --workers 2 escrow:application
"""

import os

import django
from cryptography.fernet import Fernet
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.urandom(32).hex(),
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["DATABASE"],
            "HOST": os.environ["HOST"],
            "USER": "lastkey",
            # Connections are kept, which a default Django does not do.
            "CONN_MAX_AGE": None,
        }
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402

FERNET = Fernet(Fernet.generate_key())


class Computer(models.Model):
    serial = models.CharField(max_length=200, unique=True)
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


def checkin(request):
    said = request.POST
    with transaction.atomic():
        computer, _ = Computer.objects.update_or_create(
            serial=said["serial"],
            defaults={
                "username": said["username"],
                "computername": said["macname"],
                "last_checkin": timezone.now(),
            },
        )
        password = said["recovery_password"].encode()
        kept = computer.secret_set.filter(key_id=said["key_id"])
        if not any(FERNET.decrypt(bytes(secret.secret)) == password for secret in kept):
            computer.secret_set.create(
                secret_type="recovery_key", key_id=said["key_id"], secret=FERNET.encrypt(password)
            )
    return JsonResponse({"serial": computer.serial, "rotation_required": False})


def search(request):
    found = Secret.objects.filter(key_id__startswith=request.GET["q"]).select_related("computer")[:100]
    return JsonResponse({
        "found": [
            {"key_id": secret.key_id, "computer": secret.computer.computername, "at": secret.date_escrowed}
            for secret in found
        ]
    })


urlpatterns = [path("checkin/", checkin), path("search/", search)]


def fill(records):
    """Makes the tables, with so many records of a thousand computers."""
    with connection.schema_editor() as editor:
        editor.create_model(Computer)
        editor.create_model(Secret)
    token = FERNET.encrypt(b"284867-596541-514998-422114-660297-261613-215424-199408")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO escrow_computer (serial, username, computername, last_checkin)"
            " SELECT 'S' || n, 'somebody', 'PC-' || n, now() FROM generate_series(1, 1000) AS n"
        )
        cursor.execute(
            "INSERT INTO escrow_secret (computer_id, secret_type, key_id, secret, date_escrowed)"
            " SELECT 1 + n %% 1000, 'recovery_key', upper(gen_random_uuid()::text), %s, now()"
            " FROM generate_series(1, %s) AS n",
            [token, records],
        )
        cursor.execute("ANALYZE")


application = get_wsgi_application()
