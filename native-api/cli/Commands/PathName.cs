// The rules for a path on the command line, and an argument that keeps them.
using System.CommandLine;
using FastBackup.Devices;
using FastBackup.Native.Tls;

namespace FastBackup.Cli;

static class PathName
{
    /// <param name="name">Of the argument, for help and sentences.</param>
    /// <param name="description">For --help.</param>
    public static Argument<string> CreateArgument(string name, string description) =>
        WithRules(new Argument<string>(name) { Description = description });

    /// <summary>The same for a disk, which may be a remote one.</summary>
    public static Argument<string> CreateDiskArgument(string name, string description)
    {
        Argument<string> argument = CreateArgument(name, description);
        argument.Validators.Add(result =>
        {
            if (result.Tokens.Count != 1)
                return;
            string given = result.Tokens[0].Value;
            if (TlsTransport.Schemes.Check(given) is { } wrong)
                result.AddError($"{argument.Name} '{given}' {wrong}");
        });
        return argument;
    }

    /// <summary>The same for one that may be left out.</summary>
    public static Argument<string?> CreateOptionalArgument(string name, string description) =>
        WithRules(new Argument<string?>(name) { Description = description, Arity = ArgumentArity.ZeroOrOne });

    /// <param name="path">As typed.</param>
    /// <returns>Null, or what is wrong, as the end of a sentence that begins with its part in the command.</returns>
    public static string? Check(string path) =>
        path.Length == 0 ? "is empty; give a path"
        : path == "-" ? "'-' is not standard input or output here; give a path ('./-' is a file of this name)"
        : null;

    /// <summary>The same for a disk, which may be a remote one; the end of a sentence about 'path'.</summary>
    public static string? CheckDisk(string path) => Check(path) ?? TlsTransport.Schemes.Check(path);

    static Argument<T> WithRules<T>(Argument<T> argument)
    {
        argument.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && Check(result.Tokens[0].Value) is { } wrong)
                result.AddError($"{argument.Name} {wrong}");
        });
        return argument;
    }
}
