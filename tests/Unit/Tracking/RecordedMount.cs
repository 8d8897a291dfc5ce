// A real file system on a loop device of which each write and each flush is recorded (recorder.py), so that it can be
// put back as it was at any time: everything up to a record, and of what came behind the last flush any part.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using FastBackup.Base;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;

namespace FastBackup.Tests.Unit.Tracking;

sealed class RecordedMount : IDisposable
{
    readonly TempFolder _folder = new();
    readonly MountPoint _memory; // no disk is waited for
    readonly RunningProgram _recorder;
    readonly LoopDevice _loop;
    readonly List<(long At, ulong OffsetBytes, int LengthBytes)> _records = [];
    MountPoint? _mount;
    byte[] _log = [];
    long _start; // in the log

    /// <param name="kind">ext4 or xfs.</param>
    public RecordedMount(string kind)
    {
        Requires.Root();
        Requires.SystemPath("/dev/fuse");
        _memory = MountPoint.Tmpfs(_folder["memory"], "size=1g");
        string image = InMemory("image");
        using (FileStream made = File.Create(image))
            made.SetLength((long)(kind == "xfs" ? 320 * Units.MiB : 128 * Units.MiB));
        if (kind == "xfs")
            _ = Tool.Run("mkfs.xfs", "-q", image);
        else
            _ = Tool.Run("mke2fs", "-q", "-t", kind, "-I", "256", image); // times in nanoseconds, and that of birth
        File.WriteAllText(_folder["place"], "");
        string program = Repository.PathOf("tests/Unit/Tracking/recorder.py");
        _recorder = Tool.Start("python3", program, image, InMemory("log"), _folder["place"]);
        Eventually.True(() => _recorder.Output.Contains("ready", StringComparison.Ordinal) || _recorder.HasExited);
        _loop = new LoopDevice(_folder["place"]);
        _mount = MountPoint.Device(_folder["mount"], _loop.Path);
    }

    /// <summary>Of the file system.</summary>
    public string Folder => _folder["mount"];

    public int RecordCount => _records.Count;

    /// <summary>What comes from here on is what can be left out.</summary>
    public void Begin()
    {
        _ = Tool.Run("sync", "--file-system", Folder);
        File.Copy(InMemory("image"), InMemory("base"));
        _start = new FileInfo(InMemory("log")).Length;
    }

    string InMemory(string name) => Path.Combine(_memory.Path, name);

    /// <summary>No more is recorded.</summary>
    public void End()
    {
        _log = File.ReadAllBytes(InMemory("log"));
        for (long at = _start; at < _log.Length; )
        {
            ulong offsetBytes = BinaryPrimitives.ReadUInt64LittleEndian(_log.AsSpan((int)at));
            int lengthBytes = (int)BinaryPrimitives.ReadUInt64LittleEndian(_log.AsSpan((int)at + 8));
            _records.Add((at + 16, offsetBytes, lengthBytes));
            at += 16 + lengthBytes;
        }
        _mount!.Dispose();
        _mount = null;
    }

    /// <summary>Whether a record is a flush, and a cut behind it loses nothing.</summary>
    public bool IsFlush(int record) => _records[record].LengthBytes == 0;

    /// <summary>The file system as a power cut would have left it.</summary>
    /// <param name="count">Of records that had come.</param>
    /// <param name="chance">Leaves out some of what was not flushed; null: nothing.</param>
    /// <param name="look">Told the folder in which it is mounted.</param>
    public void Cut(int count, Prng? chance, Action<string> look)
    {
        _ = Tool.Run("cp", "--sparse=always", "--reflink=auto", InMemory("base"), InMemory("cut"));
        using (FileStream cut = File.OpenWrite(InMemory("cut")))
        {
            int flushed = count;
            while (flushed > 0 && !IsFlush(flushed - 1))
                flushed--;
            for (int i = 0; i < count; i++)
            {
                (long at, ulong offsetBytes, int lengthBytes) = _records[i];
                if (lengthBytes == 0 || (i >= flushed && chance?.Chance(1, 2) == true))
                    continue;
                cut.Position = (long)offsetBytes;
                cut.Write(_log, (int)at, lengthBytes);
            }
        }
        using MountPoint mount = new(_folder["left"], "-o", "loop", InMemory("cut"));
        look(mount.Path);
    }

    public void Dispose()
    {
        _mount?.Dispose();
        _loop.Dispose();
        _recorder.Signal("TERM");
        _ = _recorder.Wait();
        _recorder.Dispose();
        _memory.Dispose();
        _folder.Dispose();
    }
}
