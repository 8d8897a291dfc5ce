// The committed declarations are what the headers say today, and the generator sees when a header changes.
using System;
using System.IO;
using System.Linq;
using FastBackup.Interop.Generator;
using Xunit;

namespace FastBackup.Tests.Interop;

public sealed class GeneratedFilesTests : IDisposable
{
    // As headers grow: another member of a union, a name for spare bytes, an operation at the end.
    static readonly (string Found, string Grown)[] HeaderGrowth =
    [
        ("fsync_flags;", "fsync_flags;\n__u32 new_flags;"),
        ("wq_fd;", "wq_fd;\n#define resv new_name\n"),
        ("IORING_OP_LAST,", "IORING_OP_NEW,\nIORING_OP_LAST,"),
    ];

    readonly string _folder = Directory.CreateTempSubdirectory("fastbackup-interop-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void HostFiles_AreWhatTheHeaderSays()
    {
        RequireCompilers();
        Assert.Empty(GeneratedTree.Compare(Repository.Root, [.. HostBindings.Generate(Repository.Root)]));
    }

    [Fact]
    public void LibraryFiles_AreWhatTheHeaderSays()
    {
        RequireCompilers();
        Assert.Empty(GeneratedTree.Compare(Repository.Root, [.. LibraryExports.Generate(Repository.Root)]));
    }

    [Fact]
    public void KernelFiles_AreWhatTheHeaderSays()
    {
        RequireCompilers();
        Requires.SystemPath("/usr/include/linux/io_uring.h");
        Assert.Empty(GeneratedTree.Compare(Repository.Root, [.. KernelBindings.Generate()]));
    }

    [Fact]
    public void NewerKernelHeader_ChangesNothing()
    {
        RequireCompilers();
        const string systems = "/usr/include/linux/io_uring.h";
        Requires.SystemPath(systems);
        string text = File.ReadAllText(systems);
        foreach ((string found, string grown) in HeaderGrowth)
        {
            Assert.Contains(found, text);
            text = text.Replace(found, grown, StringComparison.Ordinal);
        }
        Directory.CreateDirectory(Path.Combine(_folder, "linux"));
        File.WriteAllText(Path.Combine(_folder, "linux/io_uring.h"), text);
        Assert.Empty(GeneratedTree.Compare(Repository.Root, [.. KernelBindings.Generate(_folder)]));
    }

    [Theory]
    [InlineData("uint32_t fb_abi_version(void);", "uint64_t fb_abi_version(void);", "LibFastBackup.cs")]
    [InlineData("#define FB_E_ALIGN (-4)", "#define FB_E_ALIGN (-40)", "LibFastBackup.Constants.cs")]
    [InlineData("char text[232];", "char text[240];", "fb_error.cs")]
    [InlineData("typedef struct fb_extent {", "typedef struct fb_extent {\n  uint64_t tag;", "fb_extent.cs")]
    public void ChangedHeader_ChangesOneFile(string declaration, string changed, string file)
    {
        ChangeHeader(declaration, changed);
        string difference = Assert.Single(
            GeneratedTree.Compare(Repository.Root, [.. HostBindings.GenerateFrom(_folder)])
        );
        Assert.StartsWith("interop/Host/Generated/" + file + ": differs", difference);
    }

    [Theory]
    [InlineData(
        "fb_disk_write_end(fb_disk disk);",
        "fb_disk_write_end(fb_disk disk, int32_t a);",
        "Exports",
        "Exports"
    )]
    [InlineData("fb_device_query(fb_device device,", "fb_device_query(uint64_t device,", "Exports", "Exports")]
    [InlineData("#define FB_E_ALIGN (-4)", "#define FB_E_ALIGN (-40)", "Header", "Fb")]
    [InlineData("char text[232];", "char text[240];", "Structs", "ErrorStruct")]
    [InlineData("typedef struct fb_extent {", "typedef struct fb_extent {\n  uint64_t tag;", "Structs", "ExtentStruct")]
    public void ChangedHeader_ChangesOneFileOfTheLibrary(string declaration, string changed, string folder, string file)
    {
        ChangeHeader(declaration, changed);
        string difference = Assert.Single(
            GeneratedTree.Compare(Repository.Root, [.. LibraryExports.GenerateFrom(_folder)])
        );
        Assert.StartsWith($"native-api/lib/{folder}/Generated/{file}.cs: differs", difference);
    }

    [Fact]
    public void FunctionThatCannotAnswerAfterAnException_EndsTheRun()
    {
        ChangeHeader("uint32_t fb_abi_version(void);", "uint64_t fb_abi_version(void);");
        GeneratorException exception = Assert.Throws<GeneratorException>(() => LibraryExports.GenerateFrom(_folder));
        Assert.Contains("fb_abi_version", exception.Message);
    }

    [Theory]
    [InlineData("fb_abi_version", "ProcessCalls.AbiVersion")]
    [InlineData("fb_disk_flush", "DiskCalls.Flush")]
    [InlineData("fb_disk_bitmap_add", "DiskBitmapCalls.Add")]
    [InlineData("fb_last_error", "ProcessCalls.LastErrorOf")]
    public void Callee_IsOfTheLongestPrefix(string function, string callee) =>
        Assert.Equal(callee, ExportTable.CalleeOf(function));

    [Fact]
    public void Compare_FindsMissingAndStaleFiles()
    {
        GeneratedFile first = new("a/Generated/First.cs", "// 1\n");
        GeneratedFile second = new("a/Generated/Second.cs", "// 2\n");
        GeneratedTree.Write(_folder, [first, second]);
        Assert.Empty(GeneratedTree.Compare(_folder, [first, second]));
        Assert.StartsWith(second.Path + ": is no longer", Assert.Single(GeneratedTree.Compare(_folder, [first])));
        GeneratedTree.Write(_folder, [first]);
        Assert.Equal([first.Path], Directory.GetFiles(_folder, "*", SearchOption.AllDirectories).Select(Relative));
        Assert.StartsWith(second.Path + ": missing", Assert.Single(GeneratedTree.Compare(_folder, [first, second])));
    }

    /// <summary>A header of its own, with one place changed.</summary>
    void ChangeHeader(string declaration, string changed)
    {
        RequireCompilers();
        string header = File.ReadAllText(Repository.PathOf("native-api/include/fastbackup.h"))
            .Replace(" FB_CALL ", " ", StringComparison.Ordinal);
        Assert.Contains(declaration, header);
        string text = header.Replace(declaration, changed, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(_folder, "fastbackup.h"), text);
    }

    string Relative(string path) => Path.GetRelativePath(_folder, path);

    static void RequireCompilers()
    {
        Requires.Command("clang");
        Requires.Command("gcc");
    }
}
