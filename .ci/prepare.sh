# What .ci/run and .ci/slow share: a clean copy of the tree in a temporary folder, the README's own commands, and a clock.
# Source it; it leaves the shell in the copy.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/chordsim-ci.XXXXXX")
trap 'rm -rf "$work"' EXIT

export FLWR_TELEMETRY_ENABLED=0 RAY_USAGE_STATS_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1 FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION=1
export FLWR_HOME="$work/flwr" CHORDSIM_CACHE="$work/cache" PIP_DISABLE_PIP_VERSION_CHECK=1
# Every pip of the checks takes the versions that were tested together; whoever wants the newest sets an empty one.
export PIP_CONSTRAINT="${PIP_CONSTRAINT-$root/.ci/constraints.txt}"
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME
# Real data for the tests that need some: the caller's own, else the folder beside the checkout, else those tests are skipped.
if [[ -z "${CHORDSIM_DATA:-}" && -d "$root/../shared/data" ]]; then
    CHORDSIM_DATA=$(cd "$root/../shared/data" && pwd)
    export CHORDSIM_DATA
fi

# step NAME COMMAND...: run a command, tell how long it took, stop at the first that fails.
step() {
    local name=$1 began=$SECONDS
    shift
    echo "== $name"
    if "$@"; then
        echo "== $name: $((SECONDS - began)) s"
    else
        local code=$?
        echo "== $name: FAILED after $((SECONDS - began)) s" >&2
        exit "$code"
    fi
}

# readme NAME: print the README's command that is marked with <!-- command: NAME -->.
readme() {
    local text
    text=$(awk -v mark="<!-- command: $1 -->" '$0 == mark {found = 1; next} found && /^```/ {if (inside) exit; inside = 1; next} inside' README.md)
    if [[ -z "$text" ]]; then
        echo "README.md: no command marked <!-- command: $1 -->" >&2
        return 1
    fi
    printf '%s\n' "$text"
}

mkdir "$work/tree"
cd "$root"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [[ ! -e "$file" ]] || printf '%s\0' "$file"
    done | tar --null --files-from=- --create | tar --extract --directory "$work/tree"
else
    tar --exclude=./.venv --exclude=./runs --create . | tar --extract --directory "$work/tree"
fi
cd "$work/tree"
