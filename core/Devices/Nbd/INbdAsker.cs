// What the reader of replies tells the device that has asked.
namespace FastBackup.Devices.Nbd;

/// <summary>Who made the requests that a server answers. Threads: the device's.</summary>
interface INbdAsker
{
    /// <summary>Answers are of no use any more: nothing of what has arrived is looked at.</summary>
    bool HasEnded { get; }

    /// <summary>Whether a cookie is of a request that waits for an answer here.</summary>
    bool HasAsked(ulong key);

    /// <summary>The piece of a slot has its whole answer.</summary>
    void OnAnswered(ulong key, NbdSlot slot);

    /// <summary>The server does what it may not: the asker has ended after this.</summary>
    /// <param name="how">The end of a sentence that begins with the server.</param>
    void OnViolation(string how);
}
