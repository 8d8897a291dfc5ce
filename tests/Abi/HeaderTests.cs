// The header by itself: C99 and C++17 without a warning, structs without padding and with the layout that the library
// uses.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using FastBackup.Native.Structs;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Abi;

public sealed partial class HeaderTests
{
    static readonly string Header = Repository.PathOf("native-api/include/fastbackup.h");

    static readonly Dictionary<string, Type> Structs = new()
    {
        ["fb_error"] = typeof(ErrorStruct),
        ["fb_engine_options"] = typeof(EngineOptionsStruct),
        ["fb_engine_state"] = typeof(EngineStateStruct),
        ["fb_checkpoint"] = typeof(CheckpointStruct),
        ["fb_completion"] = typeof(CompletionStruct),
        ["fb_callback"] = typeof(CallbackStruct),
        ["fb_device_options"] = typeof(DeviceOptionsStruct),
        ["fb_path_options"] = typeof(PathOptionsStruct),
        ["fb_device_state"] = typeof(DeviceStateStruct),
        ["fb_io_request"] = typeof(IoRequestStruct),
        ["fb_device_ops"] = typeof(DeviceOpsStruct),
        ["fb_bitmap_options"] = typeof(BitmapOptionsStruct),
        ["fb_bitmap_state"] = typeof(BitmapStateStruct),
        ["fb_extent"] = typeof(ExtentStruct),
        ["fb_disk_options"] = typeof(DiskOptionsStruct),
        ["fb_disk_state"] = typeof(DiskStateStruct),
        ["fb_backup_options"] = typeof(BackupOptionsStruct),
        ["fb_job_state"] = typeof(JobStateStruct),
        ["fb_latency"] = typeof(LatencyStruct),
        ["fb_latency_summary"] = typeof(LatencySummaryStruct),
        ["fb_statistics"] = typeof(StatisticsStruct),
        ["fb_snapshot_extent"] = typeof(SnapshotExtentStruct),
        ["fb_event"] = typeof(EventStruct),
        ["fb_repository_options"] = typeof(RepositoryOptionsStruct),
        ["fb_event_sink"] = typeof(EventSinkStruct),
        ["fb_log_sink"] = typeof(LogSinkStruct),
        ["fb_monitor_options"] = typeof(MonitorOptionsStruct),
        ["fb_server_options"] = typeof(ServerOptionsStruct),
        ["fb_export_options"] = typeof(ExportOptionsStruct),
        ["fb_server_state"] = typeof(ServerStateStruct),
    };

    [Theory]
    [InlineData("gcc", "c", "c99")]
    [InlineData("gcc", "c", "c11")]
    [InlineData("x86_64-w64-mingw32-gcc", "c", "c99")]
    [InlineData("g++", "c++", "c++17")]
    [InlineData("g++", "c++", "c++20")]
    public void HeaderAlone_CompilesWithoutAWarning(string compiler, string language, string standard)
    {
        Requires.Command(compiler);
        string[] options = ["-Wall", "-Wextra", "-pedantic", "-Wpadded", "-Wconversion", "-Wshadow", "-Werror"];
        ToolRun run = ToolRun.Of(
            compiler,
            ["-x", language, "-std=" + standard, .. options, "-fsyntax-only", "-include", Header, "/dev/null"]
        );
        Assert.True(run.ExitCode == 0 && run.Output.Length == 0, run.Output);
    }

    /// <summary>As Microsoft's compiler would take it: no extension of another one, its calling conventions.</summary>
    [Theory]
    [InlineData("c", "x86_64-pc-windows-msvc")]
    [InlineData("c++", "x86_64-pc-windows-msvc")]
    [InlineData("c++", "i686-pc-windows-msvc")]
    public void HeaderAlone_CompilesAsMicrosoftDoes(string language, string target)
    {
        Requires.Command("clang");
        string[] options =
        [
            "-fms-compatibility",
            "-fms-extensions",
            "-D__attribute__=gnus",
            "-ffreestanding",
            "-fsyntax-only",
        ];
        string[] warnings = ["-Wall", "-Wextra", "-Wgnu", "-Wmicrosoft", "-Wignored-attributes", "-Werror"];
        ToolRun run = ToolRun.Of(
            "clang",
            ["--target=" + target, "-x", language, .. options, .. warnings, "-include", Header, "/dev/null"]
        );
        Assert.True(run.ExitCode == 0 && run.Output.Length == 0, run.Output);
    }

    [Fact]
    public void Structs_HaveTheLayoutOfTheLibrary()
    {
        Requires.Command("gcc");
        Dictionary<string, string[]> members = ReadStructs();
        Assert.Equal(Structs.Keys.Order(), members.Keys.Order());
        StringBuilder program = new(
            "#include <fastbackup.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n"
        );
        foreach ((string name, string[] fields) in members)
        {
            program.Append($"printf(\"{name} %zu\", sizeof({name}));\n");
            foreach (string field in fields)
                program.Append($"printf(\" %zu\", offsetof({name}, {field}));\n");
            program.Append("puts(\"\");\n");
        }
        program.Append("return 0; }\n");
        string source = Path.Combine(Path.GetTempPath(), $"layout-{Environment.ProcessId}.c");
        File.WriteAllText(source, program.ToString());
        string[] lines = BuiltLibrary.CompileAndRun(source).Split('\n');
        File.Delete(source);
        foreach (string line in lines)
            AssertLayout(line.Split(' '), members);
    }

    static void AssertLayout(string[] words, Dictionary<string, string[]> members)
    {
        Type type = Structs[words[0]];
        Assert.Equal(words[1], SizeOf(type).ToString());
        FieldInfo[] fields =
        [
            .. type.GetFields(BindingFlags.Instance | BindingFlags.Public).OrderBy(field => OffsetOf(type, field.Name)),
        ];
        Assert.True(members[words[0]].Length == fields.Length, $"{words[0]}: {fields.Length} members in the library");
        for (int i = 0; i < fields.Length; i++)
            Assert.True(
                words[i + 2] == OffsetOf(type, fields[i].Name).ToString(),
                $"{words[0]}.{members[words[0]][i]}: {words[i + 2]} in C, {OffsetOf(type, fields[i].Name)} here"
            );
    }

    static int SizeOf(Type type) => Marshal.SizeOf(type);

    static int OffsetOf(Type type, string field) => (int)Marshal.OffsetOf(type, field);

    /// <summary>Every struct with more than an id in it, with its members in order.</summary>
    static Dictionary<string, string[]> ReadStructs()
    {
        string text = CommentPattern().Replace(File.ReadAllText(Header), "");
        return StructPattern()
            .Matches(text)
            .Select(match => (Name: match.Groups[1].Value, Members: MemberPattern().Matches(match.Groups[2].Value)))
            .Where(item => item.Members.Count > 1)
            .ToDictionary(
                item => item.Name,
                item => item.Members.Select(m => m.Groups[1].Value + m.Groups[2].Value).ToArray()
            );
    }

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex CommentPattern();

    [GeneratedRegex(@"typedef struct (fb_\w+)\s*\{(.*?)\}\s*\1;", RegexOptions.Singleline)]
    private static partial Regex StructPattern();

    // The name before ; or [n]; or of a pointer to a function.
    [GeneratedRegex(@"(?:(\w+)(?:\[\d+\])?|\*(\w+)\)\([^;]*\))\s*;")]
    private static partial Regex MemberPattern();
}
