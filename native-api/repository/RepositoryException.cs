// Why something about a repository was not done: a kind that the program may go by, and one sentence for people. It
// never holds a password, nor a URL with one.
using System;

namespace FastBackup.Repositories;

public enum RepositoryError
{
    /// <summary>Asked for in a way that cannot be done.</summary>
    Refused,

    /// <summary>No such repository, point, disk or file.</summary>
    NotFound,

    WrongPassword,

    /// <summary>Another version of the format, or a folder that holds something else.</summary>
    Foreign,

    /// <summary>Bytes are not what they were when they were stored.</summary>
    Damaged,

    /// <summary>Somebody else is at it.</summary>
    Locked,

    NoSpace,

    /// <summary>The store did not answer, or not with what was asked for; the same may succeed later.</summary>
    Unreachable,

    /// <summary>The store forbids it, and will go on to.</summary>
    Forbidden,

    /// <summary>By a signal.</summary>
    Canceled,

    /// <summary>The disk that is backed up or restored to.</summary>
    Disk,
}

public sealed class RepositoryException : Exception
{
    public RepositoryException() { }

    public RepositoryException(string message)
        : base(message) { }

    public RepositoryException(string message, Exception inner)
        : base(message, inner) { }

    public RepositoryException(RepositoryError error, string sentence, Exception? inner = null)
        : base(sentence, inner) => Error = error;

    public RepositoryError Error { get; }
}
