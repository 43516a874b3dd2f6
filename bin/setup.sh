# Sourced by bin/engine and bin/test, which set $root: makes sure that .venv is there.

# Prints the first Python that is new enough, our own .venv left aside.
find_python() {
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3.14 python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3; do
        case $(command -v -- "${candidate:-none}" 2>/dev/null) in
            "" | "$root"/.venv/*) continue ;;
        esac
        # A pyenv shim of a version that is not selected is there, and fails.
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# set_up engine|test: at once when .venv fits this place and this pyproject.toml.
set_up() {
    case $(uname -s) in
        MINGW* | MSYS* | CYGWIN* | Windows*)
            echo "Windows itself is not supported: run this in WSL (Windows Subsystem for Linux)." >&2
            exit 2 ;;
    esac
    if [ -x "$root/.venv/bin/python" ] && [ ! -e "$root/.venv/set-up-unfinished" ] &&
        { printf '%s\n' "$root"; cat -- "$root/pyproject.toml"; } | cmp -s -- - "$root/.venv/set-up-$1"; then
        return
    fi
    if ! python=$(find_python); then
        echo "Python 3.11 or newer is needed and was not found: install it, or name one with PYTHON=/path/to/python3.11." >&2
        exit 2
    fi
    "$python" -I "$root/bin/setup.py" "$root" "$1" >&2 || exit $?
}
