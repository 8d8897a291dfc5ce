// An option that is there or not. It takes no value: `--force true` would swallow a disk of that name.
using System.CommandLine;

namespace FastBackup.Cli;

static class FlagOption
{
    public static Option<bool> Create(string name, string description) =>
        new(name) { Description = description, Arity = ArgumentArity.Zero };
}
