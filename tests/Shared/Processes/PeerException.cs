// A peer that could not be run to its end: a sentence for people.
using System;

namespace FastBackup.Tests.Processes;

public sealed class PeerException : Exception
{
    public PeerException() { }

    public PeerException(string message)
        : base(message) { }

    public PeerException(string message, Exception inner)
        : base(message, inner) { }
}
