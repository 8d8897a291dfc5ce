// A folder with a target that a run plans, makes and publishes in one thread, over calls that a test may disturb.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using Microsoft.Win32.SafeHandles;

namespace FastBackup.Tests.Unit.Devices;

sealed class TargetScene : IDisposable
{
    public const int SizeBytes = 8192;

    public static readonly string Ours = new('o', SizeBytes);

    readonly ThreadedFileIo _fileIo = new(2, 64, "fb-test");
    readonly Reactor _reactor;
    FileDevice? _device;
    TargetPlace? _place;

    public TargetScene() => _reactor = new Reactor(_fileIo, MonotonicClock.Instance, ReactorLimits.Default);

    public string Folder { get; } = Directory.CreateTempSubdirectory("fastbackup-").FullName;

    public string Target => Path.Combine(Folder, "copy");

    public string Partial => Target + TargetPlace.PartialEnding;

    public StagedNames Calls { get; } = new();

    public IReadOnlyList<string> Words => _place?.Words ?? [];

    public bool HasLeftover => _place!.HasLeftover;

    public OpenRefusal Plan(bool mayReplace, string? path = null, bool mayResume = false)
    {
        TargetOptions options = new()
        {
            Path = path ?? Target,
            SizeBytes = SizeBytes,
            MayReplace = mayReplace,
            MayResume = mayResume,
        };
        return TargetPlace.TryPlan(Calls, options, out _place);
    }

    /// <summary>Makes the file and writes to it, as a job does.</summary>
    public OpenRefusal Open()
    {
        OpenRefusal refusal = _place!.TryOpen(_reactor, new FileOpenOptions { Path = "" }, out _device);
        if (refusal.IsNone)
            Write(_device!.Fd);
        return refusal;
    }

    /// <summary>Makes the file, which another process writes to.</summary>
    public OpenRefusal Make()
    {
        OpenRefusal refusal = _place!.TryMake();
        if (!refusal.IsNone)
            return refusal;
        int fd = NameCalls.Kernel.Open(Files.AT_FDCWD, Partial, Files.O_RDWR);
        Write(fd);
        NameCalls.Close(fd);
        return refusal;
    }

    static void Write(int fd)
    {
        int second = NameCalls.Kernel.Open(Files.AT_FDCWD, $"/proc/self/fd/{fd}", Files.O_RDWR);
        using SafeFileHandle file = new(second, ownsHandle: true);
        RandomAccess.Write(file, Encoding.UTF8.GetBytes(Ours), 0);
    }

    public OpenRefusal Publish() => _place!.TryPublish();

    public void Undo() => _place!.Undo();

    /// <summary>From the look to the name, as far as it goes.</summary>
    public OpenRefusal Run(bool mayReplace)
    {
        OpenRefusal refusal = Plan(mayReplace);
        if (refusal.IsNone)
            refusal = Open();
        return refusal.IsNone ? Publish() : refusal;
    }

    public static bool IsOurs(string path) => File.Exists(path) && Read(path) == Ours;

    /// <summary>Whoever holds its lock, which the runtime's own calls would take as well.</summary>
    public static string Read(string path)
    {
        int fd = NameCalls.Kernel.Open(Files.AT_FDCWD, path, Files.O_RDONLY);
        using SafeFileHandle file = new(fd, ownsHandle: true);
        byte[] bytes = new byte[SizeBytes];
        return Encoding.UTF8.GetString(bytes, 0, RandomAccess.Read(file, bytes, 0));
    }

    public void Dispose()
    {
        _device?.Dispose();
        _place?.Dispose();
        _reactor.Dispose();
        _fileIo.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
