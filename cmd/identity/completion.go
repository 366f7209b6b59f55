package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
)

const aboutCompletion = `Prints what a shell needs to complete commands, flags and file names.

  identity completion bash > /etc/bash_completion.d/identity
  identity completion zsh > "${fpath[1]}/_identity"
  identity completion fish > ~/.config/fish/completions/identity.fish

For this shell alone: source <(identity completion bash), and the same for zsh;
identity completion fish | source.
`

var shells = []string{"bash", "zsh", "fish"}

// runCompletion prints a script.
func runCompletion(_ context.Context, args []string, s streams) error {
	rest, err := parseArgs(flag.NewFlagSet("completion", flag.ContinueOnError), " bash|zsh|fish", aboutCompletion, args, s.out)
	switch {
	case err != nil:
		return err
	case len(rest) != 1 || !slices.Contains(shells, rest[0]):
		return usagef("name one of %s", strings.Join(shells, ", "))
	}
	script := map[string]func() string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[rest[0]]
	_, err = fmt.Fprint(s.out, script())
	return err
}

// option is a flag as completion needs it.
type option struct {
	name  string // with its hyphen
	does  string // first line
	value string // what its value is called; empty for a boolean
}

func optionsOf(c command) (options []option) {
	if c.flags == nil {
		return nil
	}
	c.flags().VisitAll(func(f *flag.Flag) {
		value, does := flag.UnquoteUsage(f)
		does, _, _ = strings.Cut(does, "\n")
		options = append(options, option{"-" + f.Name, strings.TrimRight(does, ";:, "), value})
	})
	return options
}

// commandNames are what may stand first.
func commandNames() (names []string) {
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return append(names, "help")
}

// helpWords are what may stand after help.
func helpWords() []string {
	words := commandNames()
	words = words[:len(words)-1]
	for name := range topics {
		words = append(words, name)
	}
	return words
}

// valuesOf completes the value of an option: a file, one of some words, or nothing that could be guessed.
func valuesOf(o option) (words []string, file bool) {
	switch o.value {
	case "file":
		return nil, true
	case "cloud":
		return []string{"Public", "USGovernment", "China"}, false
	}
	return nil, false
}

func bashCompletion() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# bash completion of identity
_identity() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= IFS=$'\n'
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		words='%s'
	else
		case "${COMP_WORDS[1]} $before" in
		'help '*) words='%s' ;;
`, strings.Join(commandNames(), " "), strings.Join(helpWords(), " "))
	for _, c := range commands() {
		var names []string
		for _, o := range optionsOf(c) {
			names = append(names, o.name)
			words, file := valuesOf(o)
			switch {
			case file:
				fmt.Fprintf(&b, "\t\t'%s %s') compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n", c.name, o.name)
			case o.value != "":
				fmt.Fprintf(&b, "\t\t'%s %s') words='%s' ;;\n", c.name, o.name, strings.Join(words, " "))
			}
		}
		fmt.Fprintf(&b, "\t\t'%s '*) words='%s' ;;\n", c.name, strings.Join(append(names, c.words...), " "))
	}
	b.WriteString("\t\tesac\n\tfi\n\tCOMPREPLY=($(compgen -W \"${words// /$'\\n'}\" -- \"$word\"))\n}\ncomplete -F _identity identity\n")
	return b.String()
}

// zshQuoted makes text safe in single quotes, in a list of _arguments or _values.
func zshQuoted(text string) string {
	return strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(text)
}

func zshCompletion() string {
	var b strings.Builder
	b.WriteString("#compdef identity\n\n_identity() {\n\tlocal -a commands\n\tcommands=(\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "\t\t'%s:%s'\n", c.name, zshQuoted(c.does))
	}
	b.WriteString("\t\t'help:what a command does, with examples'\n\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tlocal command=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $command in\n")
	for _, c := range commands() {
		var specs []string
		for _, o := range optionsOf(c) {
			words, file := valuesOf(o)
			spec := fmt.Sprintf("'*%s[%s]", o.name, zshQuoted(o.does))
			switch {
			case file:
				spec += ":file:_files"
			case len(words) > 0:
				spec += fmt.Sprintf(":%s:(%s)", o.value, strings.Join(words, " "))
			case o.value != "":
				spec += ":" + o.value + ":"
			}
			specs = append(specs, spec+"'")
		}
		if len(c.words) > 0 {
			specs = append(specs, fmt.Sprintf("'1:word:(%s)'", strings.Join(c.words, " ")))
		}
		if len(specs) > 0 {
			fmt.Fprintf(&b, "\t%s)\n\t\t_arguments \\\n\t\t\t%s\n\t\t;;\n", c.name, strings.Join(specs, " \\\n\t\t\t"))
		}
	}
	fmt.Fprintf(&b, "\thelp)\n\t\t_values command %s\n\t\t;;\n\tesac\n}\n\n", strings.Join(helpWords(), " "))
	b.WriteString("if [ \"$funcstack[1]\" = _identity ]; then\n\t_identity \"$@\"\nelse\n\tcompdef _identity identity\nfi\n")
	return b.String()
}

func fishQuoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion of identity\ncomplete -c identity -f\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "complete -c identity -n __fish_use_subcommand -a %s -d %s\n", c.name, fishQuoted(c.does))
	}
	b.WriteString("complete -c identity -n __fish_use_subcommand -a help -d 'what a command does, with examples'\n")
	fmt.Fprintf(&b, "complete -c identity -n '__fish_seen_subcommand_from help' -a '%s'\n", strings.Join(helpWords(), " "))
	for _, c := range commands() {
		seen := fmt.Sprintf("complete -c identity -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from help'", c.name)
		for _, o := range optionsOf(c) {
			line := fmt.Sprintf("%s -o %s -d %s", seen, strings.TrimPrefix(o.name, "-"), fishQuoted(o.does))
			words, file := valuesOf(o)
			switch {
			case file:
				line += " -r -F"
			case len(words) > 0:
				line += fmt.Sprintf(" -x -a '%s'", strings.Join(words, " "))
			case o.value != "":
				line += " -x"
			}
			b.WriteString(line + "\n")
		}
		if len(c.words) > 0 {
			fmt.Fprintf(&b, "%s -a '%s'\n", seen, strings.Join(c.words, " "))
		}
	}
	return b.String()
}
