# play.sh - for the demonstrations (sourced): runs cpprof's commands as they are shown, and reads numbers from what they print.
#
# Wants `cpprof` to be the program's path.

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

[ -x "$cpprof" ] || die "there is no program $cpprof; build it (./dev build), or say where it is: CPPROF=path"

messages=$(mktemp)

say() { printf '\n# %s\n' "$@"; }

output='' # of the last command: what it printed to stdout

# Runs cpprof with the lines of $1 as its input, and prints what it printed.
run() {
	local input=$1
	shift
	if ! output=$(printf '%s' "$input" | "$cpprof" "$@" 2>"$messages"); then
		cat "$messages" >&2
		die "failed: cpprof $*"
	fi
}

# One report.
report() {
	printf '\n$ cpprof %s\n' "$*"
	run '' "$@"
	printf '%s\n' "$output"
}

# Opens the shell: what it says before the first prompt.
base=()
open_shell() {
	base=("$@")
	printf '\n$ cpprof %s\n' "$*"
	run '' "$@"
	cat "$messages"
}

# One line of the shell that was opened last.
shell() {
	printf '(pprof) %s\n' "$1"
	run "$1"$'\n' "${base[@]}"
	printf '%s\n' "$output"
}

# --- what the output says -----------------------------------------------------------------------------------------------

# "34" of "Showing nodes accounting for 34, 100% of 34 total"
total() { sed -n 's/^Showing nodes accounting for .* of \(.*\) total$/\1/p' <<<"$output"; }

# Flat value and name of the first row of a top table.
first_row() { awk 'found { print $1, $6; exit } $1 == "flat" { found = 1 }' <<<"$output"; }

# Cumulative value and number of the source line with that text that has a value.
source_line() {
	awk -v text="$1" 'index($0, text) && $2 != "." { split($3, place, ":"); print $2, place[1]; exit }' <<<"$output"
}
