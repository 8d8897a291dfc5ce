// A file that somebody else writes and that we flush: fdatasync(2) flushes the file, not the descriptor.
using System;
using FastBackup.Interop.Linux;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Peers;

public sealed class FlushedFile : IDisposable
{
    readonly int _fd;

    public FlushedFile(string path)
    {
        _fd = Files.Open(path, Files.O_RDWR | Files.O_CLOEXEC, 0);
        if (_fd < 0)
            throw new PeerException("cannot open " + path);
    }

    public void Flush()
    {
        if (Files.Fdatasync(_fd) < 0)
            throw new PeerException("fdatasync failed");
    }

    public void Dispose() => _ = Files.Close(_fd);
}
