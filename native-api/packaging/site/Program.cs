// The documentation as a site of plain HTML, from the Markdown of the tree and the command's own help:
//
//   dotnet run -c Release --project native-api/packaging/site [-- --out DIR]
//
// DIR is native-api/packaging/bin/site unless given; a site that was made there before is replaced, anything else is
// left alone. The pages need no server, no script and nothing from elsewhere. The same tree gives the same bytes. What
// leads nowhere, a link or an anchor, is an error: the file, the link, and exit code 1.
using System;
using System.IO;
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]
[assembly: SupportedOSPlatform("windows")]

namespace FastBackup.Site;

static class Program
{
    const string DefaultFolder = "native-api/packaging/bin/site";

    static int Main(string[] arguments)
    {
        string? folder = arguments switch
        {
            [] => DefaultFolder,
            ["--out", { Length: > 0 } given] => given,
            _ => null,
        };
        if (folder == null)
        {
            Console.Error.WriteLine($"'{string.Join(' ', arguments)}' is not known; what there is: --out DIR");
            return 2;
        }
        try
        {
            folder = arguments.Length > 0 ? Path.GetFullPath(folder) : SourceTree.PathOf(folder);
            int count = SiteFolder.Write(folder, SiteBuilder.Build(Contents.List()));
            Console.WriteLine($"{count} pages: {Path.Combine(folder, Contents.FirstPage)}");
            return 0;
        }
        catch (Exception exception) when (exception is SiteException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine("site: " + exception.Message);
            return 1;
        }
    }
}
