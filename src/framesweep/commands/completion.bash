# Tab completion of framesweep and `python train.py` for bash. In ~/.bashrc:
#   source <(framesweep completion bash)

# Print the Python that runs the command $1, a script whose first line names it.
_framesweep_python() {
    local path line
    path=$(type -P -- "$1") || return 1
    IFS= read -r line 2>/dev/null <"$path"
    line=${line#\#!}
    if [[ $line == *python* && -x $line ]]; then
        printf '%s' "$line"
    else
        printf '%s' "${path%/*}/python"
    fi
}

# Complete the current line by the framesweep of the Python $1.
_framesweep_reply() {
    local reply kind
    mapfile -t reply < <(COMP_WORDBREAKS=$COMP_WORDBREAKS "$1" -P -m framesweep.completion \
        bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    kind=${reply[0]-}
    case $kind in
    files) compopt +o nospace -o filenames -o default ;;
    dirs) compopt +o nospace -o filenames -o plusdirs ;;
    *)
        compopt +o default
        COMPREPLY=("${reply[@]:1}")
        COMPREPLY=("${COMPREPLY[@]%%$'\t'*}")
        ;;
    esac
}

_framesweep_command() {
    COMPREPLY=()
    local python
    python=$(_framesweep_python "$1") && _framesweep_reply "$python"
}

# Complete `python train.py` if that is framesweep's; anything else as before.
_framesweep_script() {
    COMPREPLY=()
    local word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        word=${word/#\~\//$HOME/}
        if [[ $word == train.py || $word == */train.py ]]; then
            if grep -qs framesweep.cli "$word"; then
                _framesweep_reply "$1"
                return
            fi
        fi
    done
    compopt +o nospace
    if [[ -n $_framesweep_before ]]; then
        "$_framesweep_before" "$@"
    fi
}

_framesweep_before=$(complete -p python 2>/dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
[[ $_framesweep_before == _framesweep_script ]] && _framesweep_before=
complete -o nospace -o default -F _framesweep_command framesweep
complete -o nospace -o bashdefault -o default -F _framesweep_script python python3
