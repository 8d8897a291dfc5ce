// Opening beside others: another program is another open file description, whose locks are set here by hand as QEMU
// sets them (byte 100 + N: uses permission N; byte 200 + N: shares it with nobody; 1 is writing), or by flock.
using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

[Trait("System", "Linux")] // byte locks as QEMU has them, fcntl(2)
public sealed class OpenInUseTests : IDisposable
{
    const long UsesRead = 100;
    const long UsesWrite = 101;
    const long KeepsWriteToItself = 201;
    const long KeepsResizeToItself = 203;

    readonly string _folder = Directory.CreateTempSubdirectory("fastbackup-").FullName;
    readonly ThreadedFileIo _fileIo = new ThreadedFileIo(2, 64, "fb-test");
    readonly Reactor _reactor;
    readonly string _path;
    readonly int _other;

    public OpenInUseTests()
    {
        _reactor = new Reactor(_fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        _path = Path.Combine(_folder, "disk");
        File.WriteAllBytes(_path, new byte[65536]);
        _other = Files.Open(_path, Files.O_RDWR | Files.O_CLOEXEC, 0);
    }

    public void Dispose()
    {
        _ = Files.Close(_other);
        _reactor.Dispose();
        _fileIo.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(UsesWrite, "is being written by another program")]
    [InlineData(KeepsWriteToItself, "is in use by another program")]
    [InlineData(KeepsResizeToItself, null)] // a server that lets others write, too: the size is not changed here
    [InlineData(UsesRead, null)]
    public void Writer_BesideAnotherProgram(long lockedByte, string? refusal)
    {
        SetLock(lockedByte);
        if (refusal == null)
        {
            Open(isReadOnly: false).Dispose();
            return;
        }
        Assert.Contains($"'{_path}' {refusal}", RefusalOfWriter(), StringComparison.Ordinal);
        Assert.False(IsLockedHere(UsesWrite) || IsLockedHere(KeepsWriteToItself)); // what was set is gone again
        ClearLock(lockedByte);
        Open(isReadOnly: false).Dispose();
    }

    [Fact]
    public void Reader_BesideAWriter_IsTold_AndKeepsItFromNothing()
    {
        SetLock(UsesWrite);
        using FileDevice device = Open(isReadOnly: true);
        Assert.Contains("being written by another program", device.UsedBy, StringComparison.Ordinal);
        Assert.True(IsLockedHere(UsesRead));
        Assert.False(IsLockedHere(KeepsWriteToItself));
        Assert.False(IsLockedHere(KeepsResizeToItself));
    }

    [Fact]
    public void Reader_LetsNobodyBeginToWrite_UntilTheLastIsClosed()
    {
        FileDevice first = Open(isReadOnly: true);
        FileDevice second = Open(isReadOnly: true);
        Assert.Null(second.UsedBy);
        first.Dispose();
        Assert.True(IsLockedHere(UsesRead) && IsLockedHere(KeepsWriteToItself) && IsLockedHere(KeepsResizeToItself));
        Assert.False(IsLockedHere(UsesWrite));
        second.Dispose();
        Assert.False(IsLockedHere(UsesRead) || IsLockedHere(KeepsWriteToItself) || IsLockedHere(KeepsResizeToItself));
    }

    [Fact]
    public void Writer_AndReadersOfOneProgram_DoNotFight()
    {
        using FileDevice reader = Open(isReadOnly: true);
        FileDevice writer = Open(isReadOnly: false);
        using FileDevice another = Open(isReadOnly: true);
        Assert.Null(another.UsedBy);
        Assert.True(IsLockedHere(UsesWrite));
        Assert.Equal(Errnos.EAGAIN, FlockOf(Files.LOCK_SH));
        Assert.Contains("another program", RefusalOfWriter(), StringComparison.Ordinal);
        writer.Dispose();
        Assert.False(IsLockedHere(UsesWrite));
        Assert.True(IsLockedHere(UsesRead));
        Assert.Equal(0, FlockOf(Files.LOCK_SH)); // among readers again
        Assert.Equal(0, FlockOf(Files.LOCK_UN));
        Open(isReadOnly: false).Dispose();
    }

    /// <summary>A process that is being forked has all descriptors until its own program begins.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void LocksOfAClosedImage_DoNotOutliveIt_InAChildThatHasItsDescriptors(bool isReadOnly)
    {
        FileDevice first = Open(isReadOnly);
        List<int> ofChild = [];
        foreach (string name in Directory.GetFiles("/proc/self/fd"))
            if (new FileInfo(name).LinkTarget == _path)
                ofChild.Add(NameCalls.Kernel.Duplicate(int.Parse(Path.GetFileName(name), null)));
        Assert.True(ofChild.Count >= 3 && ofChild.TrueForAll(fd => fd >= 0)); // ours, the device's, its locks'
        first.Dispose();
        Open(isReadOnly: false).Dispose();
        ofChild.ForEach(NameCalls.Close);
    }

    [Theory]
    [InlineData(Files.LOCK_EX, true)]
    [InlineData(Files.LOCK_SH, false)]
    public void Flock_OfAnotherProgram_CountsAsMuch(int operation, bool isReaderTold)
    {
        Assert.Equal(0, FlockOf(operation));
        Assert.Contains("another program", RefusalOfWriter(), StringComparison.Ordinal);
        using FileDevice reader = Open(isReadOnly: true);
        Assert.Equal(isReaderTold, reader.UsedBy != null);
    }

    [Fact]
    public void IgnoredLocks_AreNeitherSeenNorSet()
    {
        SetLock(UsesWrite);
        FileOpenOptions options = new() { Path = _path, IsLockIgnored = true };
        Assert.True(DeviceOpener.TryOpen(_reactor, options, out FileDevice? device).IsNone);
        using (device)
            Assert.False(IsLockedHere(UsesRead) || IsLockedHere(KeepsWriteToItself));
    }

    [Fact]
    public void ANewFile_IsLocked()
    {
        string path = Path.Combine(_folder, "new");
        FileOpenOptions options = new() { Path = path, CreateBytes = 4096 };
        Assert.True(DeviceOpener.TryOpen(_reactor, options, out FileDevice? device).IsNone);
        using (device)
        {
            int fd = Files.Open(path, Files.O_RDONLY | Files.O_CLOEXEC, 0);
            Assert.True(IsLocked(fd, UsesWrite) && IsLocked(fd, KeepsWriteToItself));
            _ = Files.Close(fd);
        }
    }

    [Fact]
    public void AFileThatIsToBeReplaced_IsKeptFromWriters_AndRefusedWhenOneHasIt()
    {
        TargetOptions options = new()
        {
            Path = _path,
            SizeBytes = 4096,
            MayReplace = true,
        };
        Assert.Equal(default, TargetPlace.TryPlan(NameCalls.Kernel, options, out TargetPlace? place));
        Assert.True(IsLockedHere(KeepsWriteToItself) && IsLockedHere(KeepsResizeToItself));
        place!.Dispose();
        Assert.False(IsLockedHere(KeepsWriteToItself));
        SetLock(UsesWrite);
        OpenRefusal refusal = TargetPlace.TryPlan(NameCalls.Kernel, options, out place);
        Assert.Equal(Errnos.EBUSY, refusal.Fault.Errno);
        Assert.Contains("--ignore-locks", refusal.Sentence, StringComparison.Ordinal);
        options = options with { IsLockIgnored = true };
        Assert.Equal(default, TargetPlace.TryPlan(NameCalls.Kernel, options, out place));
        place!.Dispose();
    }

    FileDevice Open(bool isReadOnly)
    {
        FileOpenOptions options = new() { Path = _path, IsReadOnly = isReadOnly };
        Assert.Equal(default, DeviceOpener.TryOpen(_reactor, options, out FileDevice? device));
        return device!;
    }

    string RefusalOfWriter()
    {
        OpenRefusal refusal = DeviceOpener.TryOpen(_reactor, new() { Path = _path }, out FileDevice? device);
        Assert.Null(device);
        Assert.Equal(Errnos.EBUSY, refusal.Fault.Errno);
        return refusal.Sentence;
    }

    int FlockOf(int operation) =>
        Files.Flock(_other, operation | Files.LOCK_NB) == 0 ? 0 : Marshal.GetLastPInvokeError();

    void SetLock(long offsetBytes) =>
        Assert.True(Call(_other, ByteLocks.F_OFD_SETLK, ByteLocks.F_RDLCK, offsetBytes).IsDone);

    void ClearLock(long offsetBytes) =>
        Assert.True(Call(_other, ByteLocks.F_OFD_SETLK, ByteLocks.F_UNLCK, offsetBytes).IsDone);

    /// <summary>As another program would ask.</summary>
    bool IsLockedHere(long offsetBytes) => IsLocked(_other, offsetBytes);

    static bool IsLocked(int fd, long offsetBytes)
    {
        (bool isDone, short found) = Call(fd, ByteLocks.F_OFD_GETLK, ByteLocks.F_WRLCK, offsetBytes);
        Assert.True(isDone);
        return found != ByteLocks.F_UNLCK;
    }

    static unsafe (bool IsDone, short Found) Call(int fd, int command, short type, long offsetBytes)
    {
        ByteLock request = new()
        {
            Type = type,
            OffsetBytes = offsetBytes,
            LengthBytes = 1,
        };
        // SAFETY: the kernel fills the structure during the call only.
        bool isDone = ByteLocks.Fcntl(fd, command, &request) == 0;
        return (isDone, request.Type);
    }
}
