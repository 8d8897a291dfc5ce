// Completion for bash, as one function that knows the whole tree: needs no package of completions and starts nothing.
// bash cuts words at '=' and ':', so --sync=top, vda=/dev/vg0/web and nbd://host are put together again first.
// Source: bash(1), Programmable Completion.
using System;
using System.Linq;
using System.Text;

namespace FastBackup.Cli;

static class BashCompletion
{
    const string Head = """
        # bash completion of fastbackup, written by: fastbackup completion bash

        """;

    const string Tail = """

        _fastbackup_is_among() {
          local one
          for one in $2; do [[ $one == "$1" ]] && return; done
          return 1
        }

        _fastbackup_kind_of() {
          local one
          for one in $takes; do [[ ${one%%=*} == "$1" ]] && { kind=${one#*=}; return; }; done
          return 1
        }

        _fastbackup() {
          local verb='' commands='' options='' takes='' places='' kind='' cur=${COMP_WORDS[COMP_CWORD]}
          local word='' isValue='' isOver='' place=0 i
          local -a words=() kinds=()
          COMPREPLY=()
          for ((i = 1; i <= COMP_CWORD; i++)); do
            word=${COMP_WORDS[i]}
            if ((i > 1)) && [[ $word == [=:]* || ${COMP_WORDS[i - 1]} == [=:]* ]]; then
              words[${#words[@]} - 1]+=$word
            else
              words+=("$word")
            fi
          done
          [[ $cur == [=:]* ]] && cur=
          _fastbackup_at ''
          for word in "${words[@]:0:${#words[@]}-1}"; do
            if [[ $isValue ]]; then
              isValue=
            elif [[ ! $isOver && $word == -- ]]; then
              isOver=1
            elif [[ ! $isOver && $word == -* ]]; then
              if _fastbackup_kind_of "$word"; then isValue=1; fi
            elif [[ $commands ]] && _fastbackup_is_among "$word" "$commands"; then
              verb="$verb $word"
              _fastbackup_at "$verb"
            else
              place=$((place + 1))
            fi
          done
          word=${words[${#words[@]} - 1]}
          if [[ $isValue ]]; then
            :
          elif [[ ! $isOver && $word == -*=* ]]; then
            _fastbackup_kind_of "${word%%=*}" || return
          elif [[ ! $isOver && $word == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
            return
          elif [[ $commands ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
            return
          else
            read -ra kinds <<< "$places"
            ((${#kinds[@]} > 0)) || return
            if ((place >= ${#kinds[@]})); then
              place=$((${#kinds[@]} - 1))
              [[ ${kinds[place]} == *+ ]] || return
            fi
            kind=${kinds[place]%+}
          fi
          case $kind in
            word) ;;
            file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
            folder) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
            *) mapfile -t COMPREPLY < <(compgen -W "${kind//|/ }" -- "$cur") ;;
          esac
        }

        complete -F _fastbackup fastbackup

        """;

    /// <param name="root">The whole tree.</param>
    public static string Write(CommandPage root)
    {
        StringBuilder text = new(Head);
        _ = text.Append("\n_fastbackup_at() {\n  case $1 in\n");
        foreach (CommandPage page in root.All)
        {
            string verb = string.Concat(page.Words.Skip(1).Select(word => " " + word));
            string takes = Join(
                page.Options.Where(one => one.Value != null),
                one => $"{one.LongName}={Kind(one.Value!)}"
            );
            _ = text.Append(
                $"""
                    '{verb}')
                      commands='{Join(page.Commands, one => one.Words[^1])}'
                      options='{Join(page.Options, one => one.LongName)}'
                      takes='{takes}'
                      places='{Join(page.Values, one => Kind(one) + (one.IsRepeated ? "+" : ""))}'
                      ;;

                """
            );
        }
        return text.Append("  esac\n}\n").Append(Tail).ToString();
    }

    static string Join<T>(System.Collections.Generic.IEnumerable<T> items, Func<T, string> word) =>
        string.Join(' ', items.Select(word));

    static string Kind(CommandValue value) =>
        value.Kind switch
        {
            ValueKind.Word => "word",
            ValueKind.File => "file",
            ValueKind.Folder => "folder",
            _ => string.Join('|', value.Choices),
        };
}
