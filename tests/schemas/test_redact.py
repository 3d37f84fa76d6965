"""No secret survives; ordinary text stays as it is."""

import re
import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.redact import HIDDEN, is_secret_name, redact, refuse_secret
from schemas.tables import TABLES

UPPER = string.ascii_uppercase + string.digits
BASE64 = string.ascii_letters + string.digits + "+/"
# Words around a secret must not hold it by chance.
ordinary = st.text(string.ascii_lowercase + " .,\n", max_size=30)
key_ids = st.builds("{}{}".format, st.sampled_from(["AKIA", "ASIA"]), st.text(UPPER, min_size=16, max_size=16))
# Behind a colon, 8/… cannot be told from a port and a path.
secrets = st.text(BASE64, min_size=40, max_size=40).filter(lambda secret: not re.match(r"\d{1,5}/", secret))

SECRET_FORMS = [
    "s3://{key}:{secret}@bucket/lake",
    "https://user:{secret}@example.org/x?y=1",
    "s3://{quoted}@bucket/lake",
    "https://{quoted}@example.org/x?y=1",
    "git+https://{quoted}@example.org:8443/x.git",
    "https://b.s3.amazonaws.com/o?X-Amz-Credential={key}%2F20261101&X-Amz-Expires=60&X-Amz-Signature={secret}",
    "GET /o?X-Amz-Security-Token={quoted}&X-Amz-Date=20261101T000000Z",
    "Authorization: AWS4-HMAC-SHA256 Credential={key}/20261101/s3, SignedHeaders=host, Signature={secret}",
    "{{'Host': 'x', 'Authorization': b'AWS4 Credential={key}, Signature={secret}', 'Accept': '*/*'}}",
    "{{'x-amz-security-token': '{secret}', 'host': 'x'}}",
    "Authorization: Bearer {secret}",
    "curl -H 'Bearer {secret}'",
    "aws_access_key_id = {key}\naws_secret_access_key = {secret}",
    'password="{secret}"',
    "{{'secret': '{secret}', 'key': '{key}'}}",
    "connect(key='{key}', secret={secret}, token={secret})",
    "https://example.org/o?token={quoted}&x=1",
    "https://example.org/o?sv=1&sig={quoted}",
    "session_token: '{secret}'",
    "<AWSAccessKeyId>{key}</AWSAccessKeyId>",
]


@pytest.mark.parametrize("form", SECRET_FORMS)
@given(before=ordinary, after=ordinary, key=key_ids, secret=secrets)
def test_no_secret_survives_in_any_form(form: str, before: str, after: str, key: str, secret: str) -> None:
    text = f"{before} {form.format(key=key, secret=secret, quoted=quote(secret, safe=''))}\n{after}"
    shown = redact(text, {})
    assert key not in shown
    assert secret not in shown
    assert quote(secret, safe="") not in shown
    assert HIDDEN in shown
    assert shown.startswith(before)
    assert shown.endswith(after)
    assert redact(shown, {}) == shown, "a second pass finds nothing"


@given(
    before=ordinary,
    name=st.sampled_from(
        ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD", "my_api_key", "UNROLLED_S3_SECRET_ACCESS_KEY"]
    ),
    secret=st.text(string.ascii_letters + string.digits + "!+/=.", min_size=8, max_size=60),
)
def test_what_a_secret_variable_holds_survives_nowhere(before: str, name: str, secret: str) -> None:
    environment = {name: secret, "HOME": "/home", "AWS_REGION": "eu-central-1"}
    for form in (secret, f"'{secret}'", quote(secret, safe="")):
        assert form not in redact(f"{before}{form}, and /home in eu-central-1", environment)
    assert redact("/home in eu-central-1", environment) == "/home in eu-central-1"


hexes = st.text("0123456789abcdef", min_size=8, max_size=64)
names = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=12)


@given(
    run=st.builds("{}-{}".format, names, hexes),
    digest=hexes,
    table=st.sampled_from(sorted(TABLES)),
    n=st.integers(0, 10**7 - 1),
)
def test_ordinary_text_is_unchanged(run: str, digest: str, table: str, n: int) -> None:
    for text in (
        f"s3://bucket/lake/{table}/run={run}/model=lstm-1x10-seed0/checkpoint={n}/part-{n:05d}.parquet",
        f"./lake/_meta/run={run}/dump/records/{n:05d}.json has changed (its digest is {digest})",
        f"http://127.0.0.1:9000/bucket/{run}@{digest} and ray://10.0.0.{n % 256}:10001",
        f"abfss://container-of-lakes@account.dfs.core.windows.net/{run}, s3://bucket/{run}@{digest}",
        f"ssh://git@example.org/{run}.git, someone@example.org: {digest}",
        f"select token, char from {table} as a join steps as s on a.token=s.token where token={n}",
        f"{run} already has dump with other settings (dump.signals was 'all', now {n}): type --replace dump",
        f"{n} tokens; max_tokens={n}; the token: {n}; tokenizer=characters.json; no token = none",
        "no credentials (Unable to locate credentials); set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
        "S3Connection(endpoint='http://127.0.0.1:9000', region='us-east-1', secret=None, path_style=True)",
    ):
        assert redact(text, {}) == text


@given(st.text())
def test_hiding_twice_is_hiding_once(text: str) -> None:
    assert redact(redact(text, {}), {}) == redact(text, {})


def test_names_that_tell_of_secrets() -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "GITHUB_TOKEN", "PGPASSWORD", "api_key"):
        assert is_secret_name(name)
    for name in (
        "AWS_REGION",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "TOKENIZERS_PARALLELISM",
    ):
        assert not is_secret_name(name)
    assert redact("a switch is on", {"USE_TOKEN": "on"}) == "a switch is on"


def test_a_setting_that_holds_a_secret_is_refused() -> None:
    refuse_secret({"files": ["s3://bucket/*.txt"], "name": "x", "window": 3}, "x.toml: task")
    with pytest.raises(UsageError, match=r"x\.toml: task\.files holds a secret \(s3://\*\*\*@bucket/\*\.txt\)"):
        refuse_secret({"files": ["a", "s3://key:secret@bucket/*.txt"]}, "x.toml: task")
