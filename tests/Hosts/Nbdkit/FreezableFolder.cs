// A file system of its own in a file, on a folder of the test, whose writes stop while it is frozen: a target that does
// not answer. Needs root.
using System;
using FastBackup.Tests.Storage;

namespace FastBackup.Tests.Hosts.Nbdkit;

/// <summary>Threads: one. Disposing thaws it first.</summary>
sealed class FreezableFolder : IDisposable
{
    const long Bytes = 128 << 20;

    readonly MountPoint _mount;
    bool _isFrozen;

    /// <param name="folder">Of the test; takes the file and the mount.</param>
    public FreezableFolder(DiskFolder folder)
    {
        Requires.Command("fsfreeze");
        Requires.Command("mke2fs");
        DiskFolder.Run("mke2fs", "-q", "-t", "ext4", "-F", folder.Sparse("fs.img", Bytes));
        Path = folder["frozen"];
        _mount = new MountPoint(Path, "-o", "loop", folder["fs.img"]);
    }

    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Freeze()
    {
        DiskFolder.Run("fsfreeze", "--freeze", Path);
        _isFrozen = true;
    }

    /// <summary>Or nothing. Before a writer is ended: one whose write is under way does not end.</summary>
    public void Thaw()
    {
        if (!_isFrozen)
            return;
        DiskFolder.Run("fsfreeze", "--unfreeze", Path);
        _isFrozen = false;
    }

    public void Dispose()
    {
        Thaw();
        _mount.Dispose();
    }
}
