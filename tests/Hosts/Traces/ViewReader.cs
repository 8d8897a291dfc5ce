// Reads the disk as it was through the host's export of it, several ranges at once, cut where the host asks for it.
using System;
using System.Collections.Generic;
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Nbd;

namespace FastBackup.Tests.Hosts.Traces;

/// <summary>Threads: one.</summary>
sealed class ViewReader(IServedDisk disk) : IDisposable
{
    const uint PieceBytesMax = 1 << 20;

    readonly NbdClient _client = new(disk.SocketPath, NbdExports.Snapshot);
    readonly uint _boundaryBytes = disk.ViewBoundaryBytes == 0 ? PieceBytesMax : disk.ViewBoundaryBytes;
    readonly List<(ulong OffsetBytes, byte[] Content)> _started = [];
    readonly List<NbdRequest> _pieces = [];

    public void Start(ulong offsetBytes, uint lengthBytes)
    {
        _started.Add((offsetBytes, new byte[lengthBytes]));
        for (ulong at = offsetBytes, end = offsetBytes + lengthBytes; at < end; )
        {
            uint length = (uint)Math.Min(_boundaryBytes - at % _boundaryBytes, end - at);
            NbdRequest piece = new(NbdWire.CommandRead, 0, at, length, new byte[length]);
            if (_client.IsFull)
                _client.Finish();
            _client.Start(piece);
            _pieces.Add(piece);
            at += length;
        }
    }

    /// <summary>Waits for all that was started.</summary>
    public List<(ulong OffsetBytes, byte[] Content)> Finish()
    {
        _client.Finish();
        int next = 0;
        foreach ((ulong offset, byte[] content) in _started)
        {
            for (int done = 0; done < content.Length; next++)
            {
                NbdRequest piece = _pieces[next];
                if (piece.Error != 0)
                    throw new TraceMismatchException($"{piece} of the view was answered with error {piece.Error}");
                piece.Content!.CopyTo(content, done);
                done += piece.Content!.Length;
            }
        }
        List<(ulong, byte[])> contents = [.. _started];
        _started.Clear();
        _pieces.Clear();
        return contents;
    }

    public void Dispose() => _client.Dispose();
}
