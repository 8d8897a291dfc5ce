// What becomes of names, owners, modes and attributes when a copy gets its name; who is refused it.
using System;
using System.Diagnostics;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

[Trait("System", "Linux")] // names by openat(2) and renameat2(2)
public sealed class TargetPlaceTests : IDisposable
{
    readonly TargetScene _scene = new();

    public void Dispose() => _scene.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NewTarget_IsUnderItsPartialName_UntilItIsPublished(bool mayReplace)
    {
        Assert.True(_scene.Plan(mayReplace).IsNone);
        Assert.Empty(Directory.GetFiles(_scene.Folder));
        Assert.True(_scene.Open().IsNone);
        Assert.Equal([_scene.Partial], Directory.GetFiles(_scene.Folder));
        Assert.True(_scene.Publish().IsNone);
        Assert.Equal([_scene.Target], Directory.GetFiles(_scene.Folder));
        Assert.True(TargetScene.IsOurs(_scene.Target));
        Assert.Empty(_scene.Words);
        Assert.False(IsMarked(_scene.Target));
    }

    [Fact]
    public void PartialFile_IsMarkedAsUnfinished_AndTheOwnersOnly()
    {
        Requires.That(HasAttributes(), "files here have no attributes");
        Assert.True(_scene.Plan(mayReplace: false).IsNone);
        Assert.True(_scene.Open().IsNone);
        Assert.True(IsMarked(_scene.Partial));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_scene.Partial));
    }

    [Fact]
    public void FileForAnotherProcess_HasItsSize_AndGetsItsNameLikeOurs()
    {
        Assert.True(_scene.Plan(mayReplace: false).IsNone);
        Assert.True(_scene.Make().IsNone);
        Assert.Equal(TargetScene.SizeBytes, new FileInfo(_scene.Partial).Length);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_scene.Partial));
        Assert.Equal(HasAttributes(), IsMarked(_scene.Partial));
        Assert.True(_scene.Publish().IsNone);
        Assert.Equal([_scene.Target], Directory.GetFiles(_scene.Folder));
        Assert.True(TargetScene.IsOurs(_scene.Target));
        Assert.False(IsMarked(_scene.Target));
    }

    [Fact]
    public void Undo_TakesAwayOnlyWhatIsOurs()
    {
        Assert.True(_scene.Plan(mayReplace: false).IsNone);
        Assert.True(_scene.Open().IsNone);
        File.Delete(_scene.Partial);
        File.WriteAllText(_scene.Partial, "alien");
        _scene.Undo();
        Assert.Equal("alien", TargetScene.Read(_scene.Partial));
    }

    [Theory]
    [InlineData("")]
    [InlineData("link")]
    [InlineData("link,exchange")]
    [InlineData("link,rename to free,exchange")]
    public void ReplacedTarget_KeepsModeAndAttributes_OnAnyFileSystem(string forgotten)
    {
        foreach (string call in forgotten.Split(',', StringSplitOptions.RemoveEmptyEntries))
            _scene.Calls.Forget(call);
        File.WriteAllText(_scene.Target, "old");
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherExecute;
        File.SetUnixFileMode(_scene.Target, mode);
        bool hasAttributes = SetAttribute(_scene.Target, "user.colour", "red");
        OpenRefusal refusal = _scene.Run(mayReplace: true);
        Assert.True(refusal.IsNone, refusal.Sentence);
        Assert.True(TargetScene.IsOurs(_scene.Target));
        Assert.Equal([_scene.Target], Directory.GetFiles(_scene.Folder));
        Assert.Equal(mode, File.GetUnixFileMode(_scene.Target));
        Assert.Equal(hasAttributes ? "red" : null, GetAttribute(_scene.Target, "user.colour"));
    }

    [Theory]
    [InlineData("link")]
    [InlineData("link,rename to free")]
    public void NewTarget_GetsItsName_OnAnyFileSystem(string forgotten)
    {
        foreach (string call in forgotten.Split(','))
            _scene.Calls.Forget(call);
        Assert.True(_scene.Run(mayReplace: false).IsNone);
        Assert.Equal([_scene.Target], Directory.GetFiles(_scene.Folder));
        Assert.True(TargetScene.IsOurs(_scene.Target));
    }

    [Fact]
    public void ReplacedTarget_KeepsItsOwner()
    {
        Requires.Root();
        File.WriteAllText(_scene.Target, "old");
        Assert.Equal(0, ChangeOwner(_scene.Target, 1234, 2345));
        Assert.True(_scene.Run(mayReplace: true).IsNone);
        NameCalls.Kernel.Look(Files.AT_FDCWD, _scene.Target, out NameLook look);
        Assert.Equal((1234u, 2345u), (look.UserId, look.GroupId));
        Assert.Empty(_scene.Words);
    }

    [Fact]
    public void OwnerAndGroupThatCannotBeKept_AreTold_AndNobodyNewGetsIn()
    {
        Requires.Root();
        File.WriteAllText(_scene.Target, "old");
        Assert.Equal(0, ChangeOwner(_scene.Target, 1234, 2345));
        File.SetUnixFileMode(_scene.Target, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        _scene.Calls.Forget("owner");
        Assert.True(_scene.Run(mayReplace: true).IsNone);
        Assert.Contains(
            _scene.Words,
            word => word.Contains("its owner 1234 could not be kept", StringComparison.Ordinal)
        );
        Assert.Contains(
            _scene.Words,
            word => word.Contains("its group 2345 could not be kept", StringComparison.Ordinal)
        );
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(_scene.Target));
    }

    [Fact]
    public void OtherNamesOfAReplacedFile_KeepTheOldContent_AndThatIsTold()
    {
        File.WriteAllText(_scene.Target, "old");
        string other = Path.Combine(_scene.Folder, "other");
        File.WriteAllText(other, "");
        File.Delete(other);
        Assert.Equal(0, LinkFile(_scene.Target, other));
        Assert.True(_scene.Run(mayReplace: true).IsNone);
        Assert.Equal("old", TargetScene.Read(other));
        Assert.Contains("2 names", Assert.Single(_scene.Words), StringComparison.Ordinal);
    }

    [Fact]
    public void SymbolicLink_IsFollowed_AndStays()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_scene.Folder, "other")).FullName;
        string link = Path.Combine(_scene.Folder, "link");
        File.CreateSymbolicLink(Path.Combine(folder, "second"), "../copy");
        File.CreateSymbolicLink(link, "other/second");
        Assert.True(_scene.Plan(mayReplace: false, link).IsNone);
        Assert.True(_scene.Open().IsNone);
        Assert.True(File.Exists(_scene.Partial));
        Assert.True(_scene.Publish().IsNone);
        Assert.True(TargetScene.IsOurs(_scene.Target));
        Assert.Equal("other/second", new FileInfo(link).LinkTarget);
    }

    [Fact]
    public void LinksInACircle_AreRefused()
    {
        File.CreateSymbolicLink(_scene.Target, "copy");
        Assert.Equal(Errnos.ELOOP, _scene.Plan(mayReplace: true).Fault.Errno);
    }

    [Fact]
    public void FileThatIsHeldByAWriter_IsNotReplaced()
    {
        File.WriteAllText(_scene.Target, "precious");
        using FileLock held = new(_scene.Target, Files.LOCK_EX);
        OpenRefusal refusal = _scene.Plan(mayReplace: true);
        Assert.Equal(FaultKind.State, refusal.Fault.Kind);
        Assert.Contains("holds its lock", refusal.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void FileThatIsOnlyRead_IsReplaced()
    {
        File.WriteAllText(_scene.Target, "old");
        using FileLock held = new(_scene.Target, Files.LOCK_SH);
        Assert.True(_scene.Run(mayReplace: true).IsNone);
    }

    [Fact]
    public void FileThatAWriterTakesMeanwhile_IsNotReplaced()
    {
        Assert.True(_scene.Plan(mayReplace: true).IsNone);
        Assert.True(_scene.Open().IsNone);
        File.WriteAllText(_scene.Target, "precious");
        using FileLock held = new(_scene.Target, Files.LOCK_EX);
        Assert.Contains("the copy is whole, but", _scene.Publish().Sentence, StringComparison.Ordinal);
        Assert.Equal("precious", TargetScene.Read(_scene.Target));
        Assert.True(TargetScene.IsOurs(_scene.Partial));
    }

    [Fact]
    public void PartialThatAnotherRunWrites_IsNeverTaken()
    {
        File.WriteAllText(_scene.Partial, "half");
        using (FileLock held = new(_scene.Partial, Files.LOCK_EX))
            foreach (bool mayReplace in new[] { false, true })
                Assert.Contains(
                    "another backup is writing",
                    _scene.Plan(mayReplace).Sentence,
                    StringComparison.Ordinal
                );
        Assert.Equal("half", TargetScene.Read(_scene.Partial));
    }

    [Fact]
    public void PartialOfARunThatWasKilledAtOnce_IsALeftover()
    {
        File.WriteAllText(_scene.Partial, ""); // made, and neither given its size nor marked
        Assert.Equal(Errnos.ESTALE, _scene.Plan(mayReplace: false).Fault.Errno);
        Assert.True(_scene.Plan(mayReplace: true).IsNone);
        Assert.True(_scene.HasLeftover);
        // To go on with nothing is to begin.
        Assert.True(_scene.Plan(mayReplace: false, mayResume: true).IsNone);
        Assert.True(_scene.Open().IsNone);
        Assert.True(_scene.Publish().IsNone);
        Assert.True(TargetScene.IsOurs(_scene.Target));
    }

    [Fact]
    public void LeftoverOfARun_IsKnownFromAFileOfSomebodyElse()
    {
        File.WriteAllText(_scene.Partial, "a note");
        Assert.True(_scene.Plan(mayReplace: true).IsNone);
        Assert.False(_scene.HasLeftover);
        Assert.True(_scene.Open().IsNone);
        using TargetScene second = new();
        File.WriteAllBytes(second.Partial, new byte[TargetScene.SizeBytes]);
        Assert.True(second.Plan(mayReplace: true).IsNone);
        Assert.True(second.HasLeftover);
    }

    bool HasAttributes()
    {
        string probe = Path.Combine(_scene.Folder, "probe");
        File.WriteAllText(probe, "");
        bool has = SetAttribute(probe, "user.probe", "1");
        File.Delete(probe);
        return has;
    }

    static bool IsMarked(string path) => GetAttribute(path, UnfinishedMark.AttributeName) != null;

    static string? GetAttribute(string path, string name)
    {
        using FileLock file = new(path, 0);
        byte[] value = new byte[256];
        int lengthBytes = NameCalls.Kernel.ReadAttribute(file.Fd, name, value);
        return lengthBytes < 0 ? null : System.Text.Encoding.UTF8.GetString(value, 0, lengthBytes);
    }

    static bool SetAttribute(string path, string name, string value)
    {
        using FileLock file = new(path, 0);
        return NameCalls.Kernel.WriteAttribute(file.Fd, name, System.Text.Encoding.UTF8.GetBytes(value)) == 0;
    }

    static int ChangeOwner(string path, uint userId, uint groupId)
    {
        using FileLock file = new(path, 0);
        return NameCalls.Kernel.ChangeOwner(file.Fd, userId, groupId);
    }

    static int LinkFile(string path, string name)
    {
        using FileLock file = new(path, 0);
        return NameCalls.Kernel.Link(file.Fd, Files.AT_FDCWD, name);
    }
}
