// One socket of SocketStreams: what was asked of it, and what is known of its readiness.
using System;
using System.Net;
using FastBackup.Base;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: the loop's.</summary>
/// <param name="streams">Whose it is.</param>
/// <param name="fd">The socket.</param>
/// <param name="address">To connect to; null: it is connected, or listens.</param>
sealed class SocketStream(SocketStreams streams, int fd, SocketAddress? address) : StreamHandle, IFileIoOwner
{
    FileResult _received;

    /// <summary>-1: closed.</summary>
    public int Fd { get; set; } = fd;

    public SocketAddress? Address => address;

    public StreamCommand Inward;
    public StreamCommand Outward;

    // --- what epoll has told, or would
    public bool IsReadable { get; set; } = true;
    public bool IsWritable { get; set; } = true;
    public bool IsConnecting { get; set; }
    public bool HasEnded { get; set; }

    /// <summary>What epoll was asked to tell last; 0: nothing yet.</summary>
    public uint AskedEvents { get; set; }

    /// <summary>Its receives go through the ring; 0: they are calls.</summary>
    public ulong RingKey { get; set; }

    /// <summary>The ring has a receive of it.</summary>
    public bool IsInRing { get; set; }

    /// <summary>In the list of those to look at.</summary>
    public bool IsListed { get; set; }

    public bool CanGoInward => Inward.Owner != null && !IsInRing && (IsReadable || RingKey != 0 || Fd < 0);

    public bool CanGoOutward => Outward.Owner != null && (IsWritable || Fd < 0);

    /// <summary>Of the receive that the ring has ended.</summary>
    public FileResult Received => _received;

    void IFileIoOwner.OnFileCompleted(ulong tag, in FileResult result)
    {
        (_received, IsInRing) = (result, false);
        streams.OnReceived(this);
    }
}
