"""Makes .venv for this checkout: called by bin/engine and bin/test when it does not fit.

Only one set-up works at a time. While it does, ``.venv/set-up-unfinished`` is there; a set-up
that was cut off leaves it behind, and the next one starts from nothing. What is finished is
written down in ``.venv/set-up-NAME`` (the place and pyproject.toml), which the scripts compare.
"""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

EXTRAS = {"engine": ("sql", "server"), "test": ("sql", "server", "test", "dev")}
NO_PIP = (
    "This Python can neither make a virtual environment with pip nor has pip itself: "
    "install one of them (Debian and Ubuntu: sudo apt install python3-venv) and run this again."
)


class SetUpError(Exception):
    """The set-up cannot go on; the text says why and what to do."""


def base_python() -> str:
    """Return the interpreter to build with, never that of a virtual environment."""
    return getattr(sys, "_base_executable", sys.executable) or sys.executable


def stamp(root: Path) -> bytes:
    return f"{root}\n".encode() + (root / "pyproject.toml").read_bytes()


def is_set_up(root: Path, name: str) -> bool:
    mark = root / ".venv" / f"set-up-{name}"
    return (
        usable(root / ".venv")
        and not (root / ".venv" / "set-up-unfinished").exists()
        and mark.is_file()
        and mark.read_bytes() == stamp(root)
    )


def usable(folder: Path) -> bool:
    """Tell whether a virtual environment is there whose Python is new enough."""
    check = "import sys; sys.exit(sys.version_info < (3, 11) or sys.prefix == sys.base_prefix)"
    try:
        return quiet([str(folder / "bin" / "python"), "-c", check])
    except OSError:
        return False


def quiet(command: list[str]) -> bool:
    """Run it without showing anything; tell whether it succeeded."""
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def moved(root: Path) -> bool:
    """Tell whether we made it in another place: its scripts point there."""
    marks = [mark.read_bytes() for mark in (root / ".venv").glob("set-up-*") if mark.name != "set-up-unfinished"]
    return any(not mark.startswith(f"{root}\n".encode()) for mark in marks)


def make(folder: Path, name: str) -> None:
    """Make an empty environment, with pip in it if this Python can."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    (folder / "set-up-unfinished").write_text(name)
    builder = venv.EnvBuilder(with_pip=importlib.util.find_spec("ensurepip") is not None, symlinks=True)
    builder.create(folder)


def pip_for(folder: Path) -> list[str]:
    """Return the command that starts pip for that environment, from inside or from outside."""
    inside, outside = str(folder / "bin" / "python"), base_python()
    for command in ([inside, "-I", "-m", "pip"], [outside, "-I", "-m", "pip", "--python", inside]):
        if quiet([*command, "--version"]):
            return command
    raise SetUpError(NO_PIP)


def install(root: Path, name: str, *, lock: int) -> None:
    wanted = f"{root}[{','.join(EXTRAS[name])}]"
    # A user's own pip settings about *where* to install do not fit here.
    where = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PYTHONHOME", "PYTHONPATH")
    environment = {key: value for key, value in os.environ.items() if key not in where}
    command = [*pip_for(root / ".venv"), "install", "--disable-pip-version-check", "--editable", wanted]
    # pip holds the lock too: if only we are killed, nobody touches .venv before pip is through.
    if subprocess.run(command, check=False, env=environment, pass_fds=(lock,)).returncode:
        raise SetUpError("Setting up .venv failed, see above; put that right and run this again.")


def set_up(root: Path, name: str, *, lock: int) -> None:
    folder = root / ".venv"
    unfinished = folder / "set-up-unfinished"
    # Who has tested here will test again: what that takes is kept, and comes back after a new start.
    if (folder / "bin" / "pytest").exists() or (unfinished.exists() and unfinished.read_text() == "test"):
        name = "test"
    if unfinished.exists():
        say("An earlier set-up of .venv was cut off; starting over.")
        make(folder, name)
    elif not usable(folder) or moved(root):
        say(f"First run: setting up .venv with {base_python()}; this takes a minute, later runs start at once.")
        make(folder, name)
    else:
        say("pyproject.toml or the set that is needed has changed: bringing .venv up to date.")
    unfinished.write_text(name)
    install(root, name, lock=lock)
    for finished, extras in EXTRAS.items():
        if set(extras) <= set(EXTRAS[name]):
            (folder / f"set-up-{finished}").write_bytes(stamp(root))
    unfinished.unlink()
    say("Done.")


def say(line: str) -> None:
    print(line, flush=True)


def main(root: Path, name: str) -> int:
    # The lock is on a file that is always there, and is let go when its holders end, however they end.
    lock = os.open(root / "pyproject.toml", os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another run is setting up .venv; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_set_up(root, name):
            set_up(root, name, lock=lock)
    except SetUpError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"Setting up .venv failed: {error}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted; the next run starts the set-up over.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
