// --scratch PATH[,LIMIT]. A comma ends PATH when what follows it could be a size: has no slash. So a path with a comma
// in its last name needs a LIMIT behind it.
using System;
using System.CommandLine;
using System.CommandLine.Parsing;
using FastBackup.Native.Tls;

namespace FastBackup.Cli;

/// <param name="Path">As typed.</param>
/// <param name="LimitBytes">ulong.MaxValue when none was given.</param>
sealed record ScratchOption(string Path, ulong LimitBytes)
{
    public static Option<ScratchOption?> Create() =>
        new("--scratch")
        {
            Description =
                "Where old data goes when memory is full: a folder, a new file or, with --force, a block device or "
                + "a server's disk, nbd://. "
                + "A file loses its name once it is open, so a crash leaves nothing behind. LIMIT: by default "
                + "the disk's size.",
            HelpName = "PATH[,LIMIT]",
            CustomParser = Parse,
        };

    static ScratchOption? Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        int comma = text.LastIndexOf(',');
        bool hasLimit = comma >= 0 && !text.AsSpan(comma).Contains('/');
        string path = hasLimit ? text[..comma] : text;
        ulong limitBytes = ulong.MaxValue;
        string? wrong =
            path.Length == 0 ? "has no path; give a folder, a new file or a block device"
            : path == "-" ? "names no file; give a folder, a new file or a block device"
            : TlsTransport.Schemes.Check(path);
        if (hasLimit && wrong == null)
        {
            string limit = text[(comma + 1)..];
            wrong = ByteSize.TryParse(limit, out limitBytes) ?? CheckLimit(limitBytes);
            if (wrong != null)
                wrong = $"has a limit '{limit}' that {wrong}";
        }
        if (wrong == null)
            return new ScratchOption(path, limitBytes);
        result.AddError($"--scratch '{text}' {wrong}");
        return null;
    }

    static string? CheckLimit(ulong bytes) =>
        bytes < DemoRequest.ClusterBytes
            ? $"is below one cluster of {ByteSize.Format(DemoRequest.ClusterBytes)}; give more"
            : null;
}
