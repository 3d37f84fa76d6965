"""Ray's sockets in a long temporary folder, as Ray itself judges."""

import os
from pathlib import Path

import pytest
from ray._private.utils import validate_socket_filepath

from jobs.doctor import machine
from jobs.doctor.finding import examine
from jobs.runners.sockets import check_socket_room
from schemas.errors import UsageError


def fits(folder: str) -> bool:
    """By Ray's own rule."""
    path = f"{folder}/ray/session_2026-01-31_12-00-00_000000_{os.getpid()}/sockets/plasma_store"
    try:
        validate_socket_filepath(path)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("letter", ["a", "ü"])
def test_the_longest_folder_is_that_of_ray(letter: str) -> None:
    for length in range(10, 60):
        folder = "/" + letter * length
        for given in ({"TMPDIR": folder}, {"RAY_TMPDIR": folder, "TMPDIR": "/tmp"}):
            if fits(folder):
                check_socket_room(given)
            else:
                with pytest.raises(
                    UsageError, match=rf"{next(iter(given))} is .* bytes too long for Ray's sockets"
                ):
                    check_socket_room(given)


def test_a_short_folder_for_ray_alone_is_enough() -> None:
    check_socket_room({"TMPDIR": "/" + "long" * 40, "RAY_TMPDIR": "/tmp"})
    check_socket_room({})


def test_doctor_tells(tmp_path: Path) -> None:
    (found,) = examine("ray", lambda: machine.ray({"TMPDIR": f"{tmp_path}/{'long' * 40}"}), "")
    assert found.state == "fail"
    assert found.remedy.startswith("set RAY_TMPDIR to a short folder")
