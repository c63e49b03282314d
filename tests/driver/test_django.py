#!/usr/bin/python3
"""Django 3.2 (over psycopg2) against the server: migrations of its own applications and of one of ours that
changes, inspectdb, the ORM, and the admin site by a browser's requests.

    test_django.py HELIOSD [NAME ...]
    HELIOS_TEST_AT="HOST PORT" test_django.py - [NAME ...]     the same against another server
"""
import datetime as dt
import io
import os
import subprocess
import sys
import tempfile
import uuid
from decimal import Decimal

import django

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from peer import Peer, ServerError, run_tests  # noqa: E402

SECONDS_MAX = 60
TESTS = []
FOLDER = None

SETTINGS = """
import os
SECRET_KEY = "of a test"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                  "django.contrib.sessions", "django.contrib.messages", "django.contrib.sites",
                  "django.contrib.flatpages", "django.contrib.redirects", "shop"]
SITE_ID = 1
STATIC_URL = "/static/"
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware",
              "django.contrib.messages.middleware.MessageMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
              "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                                 "django.contrib.auth.context_processors.auth",
                                                 "django.contrib.messages.context_processors.messages"]}}]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": %(database)r,
                         "USER": %(user)r, "HOST": %(host)r, "PORT": %(port)r}}
"""

URLS = """
from django.contrib import admin
from django.urls import path
urlpatterns = [path("admin/", admin.site.urls)]
"""

# The application as it was first, and as it is now.
MODELS_FIRST = """
from django.db import models
class Maker(models.Model):
    name = models.CharField(max_length=30)
    town = models.CharField(max_length=30, null=True)
    size = models.IntegerField(default=0)
class Item(models.Model):
    maker = models.ForeignKey(Maker, models.CASCADE)
    title = models.CharField(max_length=20, db_index=True)
    gone = models.TextField(default="")
"""
MODELS = """
import uuid
from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
class Maker(models.Model):
    name = models.CharField(max_length=60, unique=True)
    place = models.CharField(max_length=30, default="", blank=True)
    size = models.BigIntegerField(default=5)
    def __str__(self):
        return self.name
class Label(models.Model):
    word = models.SlugField(primary_key=True)
class Thing(models.Model):
    class Meta:
        db_table = "things"
        ordering = ["title"]
        unique_together = [("maker", "title")]
        indexes = [models.Index(fields=["-price", "made"], name="thing_price"),
                   models.Index(fields=["made"], name="thing_cheap", condition=models.Q(price__lt=5)),
                   models.Index(Lower("title"), name="thing_lower")]
        constraints = [models.CheckConstraint(check=models.Q(price__gte=0), name="price_there"),
                       models.UniqueConstraint(fields=["maker"], condition=models.Q(best=True), name="one_best")]
    maker = models.ForeignKey(Maker, models.CASCADE, related_name="things")
    owner = models.ForeignKey(User, models.SET_NULL, null=True, blank=True)
    title = models.CharField(max_length=40, db_index=True)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=1)
    best = models.BooleanField(default=False)
    made = models.DateField(null=True, blank=True)
    seen = models.DateTimeField(default=timezone.now)
    opens = models.TimeField(null=True, blank=True)
    lasts = models.DurationField(null=True, blank=True)
    weight = models.FloatField(null=True, blank=True)
    small = models.PositiveSmallIntegerField(default=1)
    big = models.PositiveBigIntegerField(default=1)
    key = models.UUIDField(default=uuid.uuid4, unique=True)
    raw = models.BinaryField(default=b"")
    info = models.JSONField(default=dict, blank=True)
    words = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    labels = models.ManyToManyField(Label, blank=True)
    like = models.OneToOneField("self", models.SET_NULL, null=True, blank=True)
"""
ADMIN = """
from django.contrib import admin
from shop.models import Maker, Thing
class Things(admin.TabularInline):
    model = Thing
    fields = ["title", "price"]
    extra = 1
@admin.register(Maker)
class MakerAdmin(admin.ModelAdmin):
    list_display = ["name", "place", "size"]
    list_filter = ["place"]
    search_fields = ["name"]
    inlines = [Things]
@admin.register(Thing)
class ThingAdmin(admin.ModelAdmin):
    list_display = ["title", "maker", "price"]
    date_hierarchy = "made"
    list_filter = ["best", "maker"]
"""
SECOND = """
from django.db import migrations, models
import shop.models
def fill(apps, schema_editor):
    Maker = apps.get_model("shop", "Maker")
    assert list(Maker.objects.values_list("name", "town", "size")) == [("Old", "Rome", 0)]
    Maker.objects.update(town="Ostia")
class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RenameField("maker", "town", "place"),
        migrations.RenameModel("Item", "Thing"),
        migrations.AlterModelTable("thing", "things"),
        migrations.RunSQL("create view dear as select * from things where id < 0", "drop view dear"),
        migrations.RunSQL("drop view dear", "create view dear as select * from things where id < 0"),
    ]
"""


def test(function):
    TESTS.append(function)
    return function


def write(name, text):
    path = os.path.join(FOLDER, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def manage(*args):
    """In a process of its own: models can be read once only."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env.update(DJANGO_SETTINGS_MODULE="settings", PYTHONPATH=FOLDER, PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", "django", *args], cwd=FOLDER, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS_MAX, text=True)
    assert done.returncode == 0, " ".join(args) + "\n" + done.stdout[-6000:]
    return done.stdout


@test
def migrated():
    write("shop/models.py", MODELS_FIRST)
    manage("makemigrations", "shop")
    out = manage("migrate")
    assert "Applying auth.0012_alter_user_first_name_max_length... OK" in out, out
    assert "Applying shop.0001_initial... OK" in out, out
    PEER.psql("-c", "insert into shop_maker (name, town, size) values ('Old', 'Rome', 0)")
    PEER.psql("-c", "insert into shop_item (maker_id, title, gone) values (1, 'vase', 'x')")
    write("shop/models.py", MODELS)
    write("shop/admin.py", ADMIN)
    write("shop/migrations/0002_moved.py", SECOND)
    out = manage("makemigrations", "shop", "--noinput", "-n", "grown")
    for line in ("Remove field gone from thing", "Create model Label", "Create constraint one_best",
                 "Alter field size on maker", "Create index thing_lower"):
        assert line.lower() in out.lower(), out
    assert "Applying shop.0003_grown... OK" in manage("migrate")
    assert PEER.psql("-c", "select title, maker_id, price from things") == "vase|1|1.00\n"


def command(*args):
    """In this process."""
    from django.core.management import call_command
    out = io.StringIO()
    call_command(*args, stdout=out, no_color=True)
    return out.getvalue()


@test
def migrated_back():
    assert "No changes detected" in command("makemigrations", "--check", "--dry-run")
    assert "[ ]" not in command("showmigrations")
    command("migrate", "shop", "0002")
    command("migrate", "shop")
    command("check", "--database", "default")
    assert "ADD CONSTRAINT" in command("sqlmigrate", "shop", "0003")


@test
def inspected():
    out = command("inspectdb")
    for line in ("class Things(models.Model):", "class AuthUser(models.Model):",
                 "maker = models.OneToOneField(ShopMaker, models.DO_NOTHING)" if False else "models.DO_NOTHING)",
                 "like = models.OneToOneField('self', models.DO_NOTHING, blank=True, null=True)",
                 "title = models.CharField(max_length=40)", "key = models.UUIDField(unique=True)",
                 "price = models.DecimalField(max_digits=10, decimal_places=2)",
                 "info = models.JSONField()", "raw = models.BinaryField()", "lasts = models.DurationField(",
                 "opens = models.TimeField(blank=True, null=True)", "weight = models.FloatField(",
                 "small = models.SmallIntegerField()", "big = models.BigIntegerField()",
                 "seen = models.DateTimeField()", "made = models.DateField(blank=True, null=True)",
                 "unique_together = (('maker', 'title'),)", "word = models.CharField(primary_key=True, max_length=50)",
                 "name = models.CharField(unique=True, max_length=60)", "managed = False"):
        assert line in out, line + "\n" + out


@test
def introspected():
    from django.db import connection
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "things")
        tables = {t.name: t.type for t in connection.introspection.get_table_list(cursor)}
        columns = connection.introspection.get_table_description(cursor, "things")
        sequences = connection.introspection.get_sequences(cursor, "things")
    assert tables["things"] == "t" and "django_migrations" in tables
    assert sequences == [{"name": "shop_item_id_seq", "table": "things", "column": "id"}], sequences
    by = {c.name: c for c in columns}
    assert by["title"].internal_size == 40 and by["price"].precision == 10 and by["price"].scale == 2, by["price"]
    assert by["made"].null_ok and not by["title"].null_ok
    assert found["price_there"]["check"] and found["price_there"]["columns"] == ["price"]
    assert found["one_best"]["unique"] and found["one_best"]["index"], found["one_best"]
    assert found["thing_price"]["orders"] == ["DESC", "ASC"] and found["thing_price"]["type"] == "idx"
    assert found["thing_lower"]["index"] and found["thing_lower"]["columns"] == []
    assert any(c["primary_key"] and c["columns"] == ["id"] for c in found.values())
    assert any(c["foreign_key"] == ("shop_maker", "id") and c["columns"] == ["maker_id"] for c in found.values())
    assert any(c["unique"] and c["columns"] == ["maker_id", "title"] for c in found.values())
    # The index for LIKE, made beside the plain one of a CharField.
    assert sum(c["index"] and c["columns"] == ["title"] for c in found.values()) == 2, found


@test
def objects():
    from django.contrib.auth.models import User
    from django.db import IntegrityError, connection, models, transaction
    from django.db.models import Avg, Count, Exists, F, OuterRef, Q, Subquery, Sum, Window
    from django.db.models.functions import ExtractYear, RowNumber, TruncMonth, Upper
    from shop.models import Label, Maker, Thing
    user = User.objects.create_superuser("root", "root@x", "secret")
    assert User.objects.get(username="root").check_password("secret")
    maker = Maker.objects.create(name="Krups")
    key = uuid.UUID(int=7)
    Thing.objects.create(maker=maker, owner=user, title="Mill", price=Decimal("19.99"), made=dt.date(2020, 2, 29),
                         opens=dt.time(8, 5, 0, 123456), lasts=dt.timedelta(days=-1, seconds=3, microseconds=9),
                         weight=0.1, small=32767, big=2 ** 63 - 1, key=key, raw=b"\x00\xfe",
                         info={"a": {"b": [1, None, "ü"]}, "n": 2}, words=["x", "y,z"])
    t = Thing.objects.get(key=key)
    assert (t.price, t.made, t.opens, t.lasts, t.weight, t.small, t.big, bytes(t.raw), t.info, t.words) == (
        Decimal("19.99"), dt.date(2020, 2, 29), dt.time(8, 5, 0, 123456),
        dt.timedelta(days=-1, seconds=3, microseconds=9), 0.1, 32767, 2 ** 63 - 1, b"\x00\xfe",
        {"a": {"b": [1, None, "ü"]}, "n": 2}, ["x", "y,z"]), t.__dict__
    t.labels.set([Label.objects.create(word=w) for w in ("good", "loud")])
    assert Thing.objects.filter(labels__word="loud", info__a__b__0=1, info__has_key="n").get() == t
    assert Thing.objects.filter(info__contains={"n": 2}, words__contains=["x"], words__len=2).count() == 1
    assert Thing.objects.filter(title__icontains="iL", title__iregex="^m.*l$", made__year=2020).count() == 1
    Thing.objects.bulk_create([Thing(maker=maker, title="T%02d" % i, price=i, made=dt.date(2021, 1 + i % 3, 1))
                               for i in range(30)])
    found = list(Thing.objects.filter(title__startswith="T").values("made").annotate(
        n=Count("id"), s=Sum("price"), a=Avg("price")).order_by("made"))
    assert [(r["made"].month, r["n"], r["s"]) for r in found] == [(1, 10, 135), (2, 10, 145), (3, 10, 155)], found
    assert Thing.objects.annotate(y=ExtractYear("made")).filter(y=2021).count() == 30
    assert [d.month for d in Thing.objects.dates("made", "month")] == [2, 1, 2, 3]
    assert Thing.objects.annotate(m=TruncMonth("made")).values("m").distinct().count() == 5
    ranked = Thing.objects.annotate(r=Window(RowNumber(), partition_by=F("made"), order_by=F("price").desc()))
    assert ranked.count() == 32
    cheapest = Thing.objects.filter(maker=OuterRef("pk")).order_by("price").values("title")[:1]
    rows = Maker.objects.annotate(c=Subquery(cheapest), any=Exists(Thing.objects.filter(maker=OuterRef("pk"))))
    assert sorted((m.name, m.c, m.any) for m in rows) == [("Krups", "T00", True), ("Old", "vase", True)]
    assert Thing.objects.filter(Q(price__lt=3) | Q(title="Mill")).exclude(title="vase").count() == 4
    Thing.objects.filter(title__startswith="T").update(price=F("price") + 1, title=Upper("title"))
    assert Thing.objects.aggregate(models.Max("price"))["price__max"] == 30
    assert Thing.objects.select_related("maker", "owner").prefetch_related("labels").get(pk=t.pk).owner == user
    got, made = Maker.objects.get_or_create(name="New")
    assert made and Maker.objects.update_or_create(name="New", defaults={"size": 9})[0].pk == got.pk
    changed = list(Thing.objects.filter(price__gt=20))
    for c in changed:
        c.small = 3
    assert Thing.objects.bulk_update(changed, ["small"]) is None and Thing.objects.filter(small=3).count() == 10
    for wrong, code in ((dict(price=-1, title="w"), "23514"), (dict(title="Mill"), "23505")):
        try:
            with transaction.atomic():
                Thing.objects.create(maker=maker, **wrong)
            raise AssertionError("no error")
        except IntegrityError as e:
            assert e.__cause__.pgcode == code, e.__cause__.pgcode
    with transaction.atomic():
        assert Thing.objects.select_for_update(skip_locked=True).filter(maker=maker).count() == 31
        transaction.set_rollback(True)
    try:
        Thing.objects.create(maker_id=424242, title="orphan")
        raise AssertionError("no error")
    except IntegrityError as e:
        assert e.__cause__.pgcode == "23503", e.__cause__.pgcode
    assert sum(1 for _ in Thing.objects.iterator(chunk_size=7)) == 32
    assert "Scan" in Thing.objects.filter(title="Mill").explain()
    assert Thing.objects.filter(title="T00").union(Thing.objects.filter(title="Mill")).count() == 2
    assert len(Thing.objects.in_bulk([key], field_name="key")) == 1
    with connection.cursor() as c:
        c.execute("select count(*) from django_content_type")
        assert c.fetchone()[0] > 8


@test
def administered():
    from django.contrib.admin.models import LogEntry
    from django.test import Client
    from shop.models import Maker, Thing
    client = Client()
    page = client.post("/admin/login/?next=/admin/", {"username": "root", "password": "secret"})
    assert page.status_code == 302 and page["Location"] == "/admin/", page
    for path in ("/admin/", "/admin/shop/thing/", "/admin/shop/thing/?q=&best__exact=0&made__year=2021",
                 "/admin/shop/maker/?q=kr&o=-2", "/admin/shop/maker/add/", "/admin/auth/user/",
                 "/admin/auth/group/add/", "/admin/sites/site/"):
        page = client.get(path)
        assert page.status_code == 200, (path, page)
    inline = {"things-TOTAL_FORMS": "1", "things-INITIAL_FORMS": "0", "things-0-title": "Cup",
              "things-0-price": "2.50"}
    page = client.post("/admin/shop/maker/add/", {"name": "Bodum", "place": "Triengen", "size": "3", **inline})
    assert page.status_code == 302, page.content.decode()
    maker = Maker.objects.get(name="Bodum")
    assert maker.things.get().price == Decimal("2.50")
    page = client.post("/admin/shop/maker/%d/delete/" % maker.pk, {"post": "yes"})
    assert page.status_code == 302 and not Thing.objects.filter(title="Cup").exists()
    assert [e.action_flag for e in LogEntry.objects.order_by("id")] == [1, 3]
    page = client.post("/admin/shop/maker/add/", {"name": "Krups", "place": "x", "size": "3", **inline})
    assert page.status_code == 200 and b"already exists" in page.content


@test
def dumped():
    from shop.models import Thing
    out = command("dumpdata", "shop")
    kept = [f.attname for f in Thing._meta.fields if f.name not in ("opens", "seen")]  # JSON cuts their microseconds
    before = list(Thing.objects.order_by("pk").values(*kept))
    path = os.path.join(FOLDER, "all.json")
    with open(path, "w") as f:
        f.write(out)
    command("flush", "--noinput")
    assert not Thing.objects.exists()
    from django.contrib.auth.models import User
    for owner in {t["owner_id"] for t in before} - {None}:
        User.objects.create(pk=owner, username="again")
    command("loaddata", path)
    assert list(Thing.objects.order_by("pk").values(*kept)) == before
    command("sqlsequencereset", "shop")
    command("migrate", "shop", "zero")
    assert PEER.psql("-c", "select count(*) from pg_tables where tablename in ('things', 'shop_maker')") == "0\n"


def main(argv):
    global FOLDER, PEER
    if not argv:
        print(__doc__)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="helios-django-") as FOLDER, Peer(argv[0]) as PEER:
            write("settings.py", SETTINGS % vars(PEER))
            for name in ("shop/__init__.py", "shop/migrations/__init__.py"):
                write(name, "")
            write("shop/urls.py", URLS)
            failed = 0
            if not argv[1:] or "migrated" in argv[1:]:
                failed = run_tests(TESTS[:1])
            if not failed:
                sys.path.insert(0, FOLDER)
                os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
                django.setup()
                failed = run_tests(TESTS[1:], argv[1:])
                from django.db import connections
                connections.close_all()
    except ServerError as e:
        print(e)
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
