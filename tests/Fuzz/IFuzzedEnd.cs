// One end of the protocol, which is sent whatever a session is made of.
using System;
using System.Collections.Generic;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: one.</summary>
interface IFuzzedEnd : IDisposable
{
    string Name { get; }

    /// <summary>Right sessions to begin with.</summary>
    IEnumerable<byte[]> Seeds { get; }

    /// <summary>One session, from its connection to the last trace of it.</summary>
    /// <param name="input">What this end is sent.</param>
    /// <param name="isTorn">Bytes arrive in pieces, at random.</param>
    /// <param name="hasCompany">A guest is served meanwhile.</param>
    /// <exception cref="FuzzFailure">Something is wrong.</exception>
    void Run(byte[] input, bool isTorn, bool hasCompany);

    /// <summary>Nothing is left of all sessions.</summary>
    /// <exception cref="FuzzFailure">Something is.</exception>
    void CheckNothingLeft();

    /// <summary>What is worth telling of all sessions.</summary>
    string Words { get; }
}
