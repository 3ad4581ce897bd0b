# Completion of cpprof for bash: reports, options and their values, files. The names come from `cpprof -help`, so
# that they are those of the program that is installed.

_cpprof_flags() {
	"$1" -help 2>&1 | sed -n 's/^ *\(-[a-z][a-z_]*\)\( .*\)\{0,1\}$/\1/p' | sort -u
}

# What the option may be set to, or nothing.
_cpprof_values() {
	case "${1##*-}" in
	symbolize) echo 'none local fastlocal remote force demangle=none demangle=templates demangle=full demangle=default' ;;
	unit) echo 'minimum auto ns us ms s hrs B kB MB GB TB PB' ;;
	sample_index) echo 'inuse_space inuse_objects alloc_space alloc_objects cpu samples goroutine contentions delay' ;;
	trim | drop_negative | call_tree | relative_percentages | compact_labels | mean | normalize | noinlines | showcolumns)
		echo 'true false'
		;;
	esac
}

# What stands behind "pid:" and "name:".
_cpprof_processes() {
	"$1" ps 2>/dev/null | awk 'NR > 1 { print "pid:" $1 "/"; print "name:" $2 "/" }' | sort -u
}

# Options that take a word of their own which is neither a file nor one of the values above.
_cpprof_is_free() {
	case "${1##*-}" in
	list | peek | focus | ignore | hide | show | show_from | prune_from | tagfocus | tagignore | tagshow | taghide | \
		tagroot | tagleaf | nodecount | nodefraction | edgefraction | divide_by | seconds | timeout | buildid | add_comment)
		return 0
		;;
	esac
	return 1
}

_cpprof() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} option='' attached=''
	COMPREPLY=()
	# Behind `run` it is the program's own command line.
	if [ "$COMP_CWORD" -gt 1 ] && [ "${COMP_WORDS[1]}" = run ] && [[ "$word" != -* ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -c -f -- "$word" | sort -u)
		return
	fi
	# Bash splits at ':', too: "pid:1" arrives as "pid", ":", "1".
	if [ "$word" = : ] || [ "$before" = : ]; then
		local kind=$before number=''
		[ "$word" = : ] || kind=${COMP_WORDS[COMP_CWORD - 2]} number=$word
		mapfile -t COMPREPLY < <(compgen -W "$(_cpprof_processes "${COMP_WORDS[0]}" | sed -n "s/^$kind://p")" -- "$number")
		compopt -o nospace 2>/dev/null
		return
	fi
	# Bash splits at '=': "-unit=m" arrives as "-unit", "=", "m".
	if [ "$word" = = ]; then
		option=$before word='' attached=1
	elif [ "$before" = = ]; then
		option=${COMP_WORDS[COMP_CWORD - 2]} attached=1
	elif [[ "$before" == -* ]]; then
		option=$before
	fi
	local values=''
	[ -z "$option" ] || values=$(_cpprof_values "$option")
	# A Boolean option takes a value only behind '='.
	if [ "$values" = 'true false' ] && [ -z "$attached" ]; then
		values=''
	fi
	if [ -n "$values" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
	elif [ -n "$option" ] && _cpprof_is_free "$option"; then
		return
	elif [ -z "$attached" ] && [[ "$word" == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_cpprof_flags "${COMP_WORDS[0]}")" -- "$word")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		if [ "$COMP_CWORD" -eq 1 ]; then
			mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W 'run ps' -- "$word")
		fi
	fi
}

complete -F _cpprof cpprof
