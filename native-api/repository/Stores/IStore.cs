// Where a repository lies: files of six kinds by name, each written once and whole, or not at all.
using System;
using System.Collections.Generic;

namespace FastBackup.Repositories;

enum StoreKind
{
    /// <summary>One, without a name.</summary>
    Config,
    Key,
    Lock,
    Snapshot,
    Index,
    Pack,
}

/// <param name="Name">Hexadecimal digits.</param>
/// <param name="SizeBytes">Of the file.</param>
readonly record struct StoredFile(string Name, long SizeBytes);

/// <summary>Threads: any. Everything waits, and what fails throws <see cref="RepositoryException"/>: NotFound, NoSpace,
/// Unreachable (worth another try) or Forbidden.</summary>
interface IStore : IDisposable
{
    /// <summary>For people: no password in it.</summary>
    string Name { get; }

    /// <summary>What it was asked for; null: nobody counts.</summary>
    StoreRequests? Requests => null;

    /// <summary>Makes the place, if it is not there.</summary>
    void Create();

    /// <summary>Files whose names are none of this format are passed over.</summary>
    List<StoredFile> List(StoreKind kind);

    /// <returns>Null: there is none.</returns>
    long? SizeOf(StoreKind kind, string name);

    byte[] Read(StoreKind kind, string name);

    /// <summary>A part, all of it there or Damaged.</summary>
    void Read(StoreKind kind, string name, long offsetBytes, Span<byte> part);

    /// <summary>Durable, under its name and whole, when this returns. One that is there is left as it is when it has
    /// the same size: its name is that of its content.</summary>
    void Write(StoreKind kind, string name, ReadOnlyMemory<byte> content);

    /// <summary>One that is not there is removed already.</summary>
    void Remove(StoreKind kind, string name);
}
