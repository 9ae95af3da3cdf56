# Tab completion of framesweep and `python train.py` for zsh. In ~/.zshrc:
#   source <(framesweep completion zsh)

# Print the Python that runs the command $1, a script whose first line names it.
_framesweep_python() {
    local file line
    file=${1/#\~\//$HOME/}
    file=${file:c}
    [[ -r $file ]] || return 1
    IFS= read -r line <$file
    line=${line#\#!}
    if [[ $line == *python* && -x $line ]]; then
        print -r -- $line
    else
        print -r -- ${file:h}/python
    fi
}

# Complete the current line by the framesweep of the Python $1.
_framesweep_reply() {
    local -a reply texts notes open_texts open_notes
    local line text note
    reply=("${(@f)$($1 -P -m framesweep.completion zsh "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
    case $reply[1] in
    files) compset -P '*='; _files ;;
    dirs) compset -P '*='; _files -/ ;;
    *)
        for line in "${(@)reply[2,-1]}"; do
            text=${line%%$'\t'*} note=${line#*$'\t'}
            if [[ $text == *' ' ]]; then
                text=${text% }
                texts+=("$text") notes+=("$text${note:+  -- $note}")
            else
                open_texts+=("$text") open_notes+=("$text${note:+  -- $note}")
            fi
        done
        (( $#texts )) && compadd -Q -l -d notes -a texts
        (( $#open_texts )) && compadd -Q -S '' -l -d open_notes -a open_texts
        ;;
    esac
}

_framesweep_command() {
    local python
    python=$(_framesweep_python $words[1]) && _framesweep_reply $python
}

# Complete `python train.py` if that is framesweep's; anything else as before.
_framesweep_script() {
    local word
    for word in "${(@)words[2,CURRENT-1]}"; do
        word=${word/#\~\//$HOME/}
        if [[ $word == train.py || $word == */train.py ]] && grep -qs framesweep.cli $word; then
            _framesweep_reply ${words[1]/#\~\//$HOME/}
            return
        fi
    done
    ${_framesweep_before:-_files} "$@"
}

(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
[[ ${_comps[python]-} == _framesweep_script ]] || _framesweep_before=${_comps[python]-}
compdef _framesweep_command framesweep
compdef _framesweep_script python python3
