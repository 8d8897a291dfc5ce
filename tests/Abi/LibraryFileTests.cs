// The built library as a file: what it exports, its name, its size, its levels, and that it is installed where it says.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Abi;

public sealed partial class LibraryFileTests
{
    const long SizeMaxBytes = 16 << 20; // two thirds of it are what a repository needs: TLS, HTTP, S3, its ciphers

    // Of the 1664 that glibc has put by in each thread for all libraries that are opened later.
    const int ThreadBytesMax = 512;

    // What the runtime exports by itself, and the name of the symbols' version.
    static readonly string[] OfTheRuntime = ["DotNetRuntimeDebugHeader", "V1.0"];

    static readonly string[] MayBeNeeded = ["libc", "libm", "ld-linux-x86-64"];

    [Fact]
    public void Exports_AreTheHeadersFunctionsAndNothingElse()
    {
        string header = File.ReadAllText(Repository.PathOf("native-api/include/fastbackup.h"));
        IEnumerable<string> declared = DeclarationPattern().Matches(header).Select(match => match.Groups[1].Value);
        foreach (string file in BuiltLibrary.Levels.Select(BuiltLibrary.LevelFile))
        {
            ToolRun run = ToolRun.Of("nm", ["-D", "--defined-only", file]);
            IEnumerable<string> exported = run.Output.Split('\n').Select(line => line.Split(' ')[^1].Split('@')[0]);
            Assert.Equal(declared.Order(), exported.Where(name => !OfTheRuntime.Contains(name)).Order());
        }
    }

    [Fact]
    public void File_HasItsNameAndIsNeverUnloaded()
    {
        string dynamic = ToolRun.Of("readelf", ["-d", BuiltLibrary.File]).Output;
        Assert.Contains("Library soname: [libfastbackup.so.1]", dynamic);
        Assert.Contains("NODELETE", dynamic);
        string[] needed = [.. NeededPattern().Matches(dynamic).Select(match => match.Groups[1].Value)];
        Assert.All(needed, name => Assert.Contains(name.Split('.')[0], MayBeNeeded));
    }

    /// <summary>Each call enters the runtime without asking the loader: native-api/lib/Process/process.c.</summary>
    [Fact]
    public void ThreadRecords_AreFoundWithoutACall_AndAreSmall()
    {
        foreach (string file in BuiltLibrary.Levels.Select(BuiltLibrary.LevelFile))
        {
            Assert.Contains("STATIC_TLS", ToolRun.Of("readelf", ["-d", file]).Output);
            string[] segment = ToolRun
                .Of("readelf", ["-lW", file])
                .Output.Split('\n')
                .Single(line => line.TrimStart().StartsWith("TLS ", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Assert.InRange(Convert.ToInt32(segment[5], 16), 1, ThreadBytesMax);
        }
    }

    /// <summary>Which vectors it uses is told by the kernels themselves: see the next test.</summary>
    [Fact]
    public void Level_IsSmall() =>
        Assert.All(
            BuiltLibrary.Levels,
            level => Assert.InRange(new FileInfo(BuiltLibrary.LevelFile(level)).Length, 1, SizeMaxBytes)
        );

    /// <summary>Each level by itself, in a folder of its own; the text is the width of the kernels in use.</summary>
    [Fact]
    public void Level_RunsTheKernelsOfItsWidth()
    {
        foreach (string level in BuiltLibrary.Levels.Where(BuiltLibrary.IsRunHere))
        {
            string folder = Directory.CreateTempSubdirectory("fastbackup-level-").FullName;
            File.Copy(BuiltLibrary.LevelFile(level), Path.Combine(folder, "libfastbackup.so.1"));
            string program = BuiltLibrary.CompileAs("version-" + level, "tests/Abi/Programs/version.c");
            ToolRun run = ToolRun.Of(program, [], ("LD_LIBRARY_PATH", folder));
            Directory.Delete(folder, recursive: true);
            Assert.Equal("0.1.0+" + level, run.Output.Trim());
        }
    }

    [Fact]
    public void Loader_TakesTheHighestLevelOfTheProcessor()
    {
        string said = BuiltLibrary.CompileAndRun("tests/Abi/Programs/version.c");
        Assert.Equal("0.1.0+" + BuiltLibrary.Levels.Last(BuiltLibrary.IsRunHere), said);
    }

    [Fact]
    public void Install_IntoAPackageFolder_CanBeUsedThroughPkgConfig()
    {
        Requires.Command("pkg-config");
        _ = BuiltLibrary.Folder;
        string root = Directory.CreateTempSubdirectory("fastbackup-install-").FullName;
        ToolRun run = ToolRun.Of(
            Repository.PathOf("native-api/packaging/install"),
            [],
            ("DESTDIR", root),
            ("PREFIX", "/opt/fb")
        );
        Assert.True(run.ExitCode == 0, run.Output);
        string folder = Path.Combine(root, "opt/fb/lib");
        string level = BuiltLibrary.LevelFile(BuiltLibrary.Levels[^1]);
        Assert.True(File.Exists(Path.Combine(folder, Path.GetRelativePath(BuiltLibrary.LibraryFolder, level))));
        ToolRun flags = ToolRun.Of(
            "pkg-config",
            ["--cflags", "--libs", "fastbackup"],
            ("PKG_CONFIG_PATH", Path.Combine(folder, "pkgconfig")),
            ("PKG_CONFIG_SYSROOT_DIR", root)
        );
        Assert.Contains($"-I{root}/opt/fb/include", flags.Output);
        Assert.Contains("-lfastbackup", flags.Output);
        string program = Path.Combine(root, "version");
        string source = Repository.PathOf("tests/Abi/Programs/version.c");
        ToolRun compiled = ToolRun.Of("gcc", [source, "-o", program, .. flags.Output.Split(' ')]);
        Assert.True(compiled.ExitCode == 0, compiled.Output);
        Assert.StartsWith("0.1.0+v", ToolRun.Of(program, [], ("LD_LIBRARY_PATH", folder)).Output);
        Directory.Delete(root, recursive: true);
    }

    [GeneratedRegex(@"FB_CALL (fb_\w+)\(")]
    private static partial Regex DeclarationPattern();

    [GeneratedRegex(@"Shared library: \[(.*?)\]")]
    private static partial Regex NeededPattern();
}
