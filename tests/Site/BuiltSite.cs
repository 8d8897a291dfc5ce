// The site as its own program makes it, once a run of these tests, in a folder that goes at the end.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.Versioning;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using FastBackup.Tests.Processes;

[assembly: SupportedOSPlatform("linux")]
[assembly: SupportedOSPlatform("windows")]

namespace FastBackup.Tests.Site;

/// <summary>Threads: one.</summary>
public sealed class BuiltSite : IDisposable
{
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    readonly TempFolder _folder = new();

    public BuiltSite()
    {
        _ = Make("--out", _folder["site"]).Expect(0);
        HtmlParser parser = new();
        Pages = Directory
            .GetFiles(Folder, "*.html")
            .Order(StringComparer.Ordinal)
            .ToDictionary(path => Path.GetFileName(path), path => parser.ParseDocument(File.ReadAllText(path)));
    }

    public string Folder => _folder["site"];

    /// <summary>By their file names.</summary>
    public Dictionary<string, IHtmlDocument> Pages { get; }

    /// <summary>Runs the program that makes the site.</summary>
    public static ProgramResult Make(params string[] arguments)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "FastBackup.Site.dll");
        using RunningProgram running = new(Path.GetTempPath(), "dotnet", ["exec", program, .. arguments]);
        return running.Wait(s_limit);
    }

    public void Dispose() => _folder.Dispose();
}
