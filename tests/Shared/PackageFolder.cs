// A folder of somebody who has the .NET SDK, the packages in packages/, and nothing else: no other source of packages,
// and a cache of its own.
using System;
using System.IO;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests;

/// <summary>Threads: one.</summary>
public sealed class PackageFolder : IDisposable
{
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    readonly TempFolder _folder = new();

    public PackageFolder()
    {
        const string sources = """
            <configuration>
              <packageSources><clear /><add key="folder" value="packages" /></packageSources>
            </configuration>
            """;
        File.WriteAllText(_folder["nuget.config"], sources);
    }

    public string Path => _folder.Path;

    public string this[string name] => _folder[name];

    /// <summary>Runs dotnet in here; it must succeed.</summary>
    public void Dotnet(params string[] arguments)
    {
        using RunningProgram running = new(
            _folder.Path,
            "dotnet",
            arguments,
            ("NUGET_PACKAGES", _folder["cache"]),
            ("MSBUILDDISABLENODEREUSE", "1")
        );
        _ = running.Wait(s_limit).Expect(0);
    }

    public void Dispose() => _folder.Dispose();
}
