// Which pages there are, in which groups and in which order: what the menu of every page shows. A Markdown file of the
// documents that stands in no group is an error, so that none is forgotten.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Cli;

namespace FastBackup.Site;

static class Contents
{
    public const string FirstPage = "index.html";

    const string Documents = "native-api/docs";

    static readonly (string Group, string[] Files)[] s_groups =
    [
        ("Begin", ["README.md", "qemu.md", "packaging.md", "windows.md"]),
        (
            "Back up",
            [
                "run.md",
                "repository.md",
                "tracking.md",
                "qcow2.md",
                "qcow2-chains.md",
                "nbd.md",
                "rbd.md",
                "native-api/hosts/nbdkit/README.md",
            ]
        ),
        ("By program", ["monitor.md", "pull-mode.md", "nbd-matrix.md"]),
        (
            "C library",
            [
                "overview.md",
                "embedding.md",
                "write-hooks.md",
                "guests-first.md",
                "incremental.md",
                "lifecycle.md",
                "threads.md",
                "errors.md",
                "restarts.md",
                "interop/Host/README.md",
            ]
        ),
        ("Formats", ["tracker-format.md", "token-format.md"]),
        ("Project", ["CHANGELOG.md", "SECURITY.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "bench/DECISIONS.md"]),
    ];

    /// <summary>Files of the tree, and the commands as one group behind those that tell what to do with them.</summary>
    public static List<Page> List()
    {
        List<Page> pages = [];
        foreach ((string group, string[] files) in s_groups)
        {
            pages.AddRange(files.Select(file => Page.OfFile(NameOf(file), group)));
            if (group == "By program")
                pages.AddRange(CommandTree.Reference().All.Select(Page.OfCommand));
        }
        foreach (string file in SourceTree.Files(Documents, ".md"))
            if (!pages.Any(page => page.Source == file))
                throw new SiteException($"{file} is in no group of Contents.cs; add it to one");
        return pages;
    }

    static string NameOf(string file) =>
        file.Contains('/', System.StringComparison.Ordinal) || char.IsUpper(file[0]) ? file : $"{Documents}/{file}";
}
