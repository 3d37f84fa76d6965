"""A secret that slips into an error, a log or a setting is not shown, and not stored."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.__main__ import main
from jobs.process.secrets import hide_secrets_in_logs

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ADDRESS = f"s3://{KEY}:{SECRET}@bucket"


def is_clean(text: str) -> bool:
    return KEY not in text and SECRET not in text and SECRET.replace("/", "%2F") not in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "counting", "--root", f"{ADDRESS}/lake"], "the root holds a secret (s3://***@bucket/lake)"),
        (["sql", "select 1", "--root", f"{ADDRESS}/lake"], "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (["run", "python_source", "--set", f'task.files=["{ADDRESS}/*.py"]'], "task.files holds a secret"),
        (["run", "counting", "--set", f"revision=secret={SECRET}"], "counting: revision holds a secret"),
        (["run", "counting", "--set", f'training.secret="{SECRET}"'], "unknown key training.secret"),
        (
            ["dump", "--model", "a:b", "--weights", f"{ADDRESS}/w.pt", "--vocabulary", "v", "--corpus", "c"],
            "network",
        ),
    ],
)
def test_a_secret_is_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], told: str
) -> None:
    root = [] if "--root" in words else ["--root", str(tmp_path / "lake")]
    assert main([*words, *root]) == 2
    out, err = capsys.readouterr()
    assert told in err
    assert out == ""
    assert "secret=" in words[-1] or is_clean(err)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flags", [[], ["--debug"]])
def test_an_error_shows_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    def fail(_: object) -> None:
        request = {"Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/x, Signature={SECRET}"}
        raise RuntimeError(f"no answer to {request} of {ADDRESS}/lake, {os.environ['AWS_SECRET_ACCESS_KEY']}")

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setattr("jobs.commands.questions.top", fail)
    assert main(["top", "tiny", "--hypothesis", "h", *flags]) == 1
    told = capsys.readouterr().err
    assert "no answer to" in told
    assert ("Traceback" in told) == bool(flags)
    assert is_clean(told)


def test_logs_show_no_secret(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "_logRecordFactory", logging.LogRecord)
    hide_secrets_in_logs()
    hide_secrets_in_logs()
    log = logging.getLogger("some.library")
    log.warning("asked %s with %s", f"{ADDRESS}/lake", {"password": SECRET})
    log.warning("%d of %s", "no number", f"secret={SECRET}")
    log.warning("%d of %s", 3, "7")
    try:
        int(ADDRESS)
    except ValueError:
        log.exception("it broke")
    assert is_clean(caplog.text)
    assert "asked s3://***@bucket/lake with {'password': '***'}" in caplog.text
    assert "int() with base 10: 's3://***@bucket'" in caplog.text
    assert caplog.records[2].args == (3, "7")


@pytest.mark.slow
@pytest.mark.ray
def test_variables_that_the_dashboard_would_show_are_told_by_name(tmp_path: Path) -> None:
    """As a job that was submitted with them sees its runtime environment."""
    variables = {"env_vars": {"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-central-1"}}
    script = (
        "import ray\nfrom jobs.runners import ray as ours\n"
        f"ray.init(address='local', num_cpus=1, include_dashboard=False, runtime_env={variables!r},\n"
        "         log_to_driver=False, logging_level='ERROR', _node_ip_address='127.0.0.1')\n"
        "ours._warn_of_secrets()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert line.startswith("warning: AWS_SECRET_ACCESS_KEY of the job's runtime environment")
    assert is_clean(done.stdout + line)
    assert json.dumps(variables) not in done.stderr
