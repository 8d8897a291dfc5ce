// A store in memory whose operations fail, or take a while, when a test says so. What fails after it has succeeded has
// happened; what fails half has left half of its content. While one is slow the others go on.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FastBackup.Repositories;

namespace FastBackup.Tests.Points;

public enum StoreFailure
{
    Before,
    After,
    Half,

    /// <summary>It works, after a while.</summary>
    Slow,
}

/// <summary>Threads: any.</summary>
sealed class FaultyStore : IStore
{
    const int SlowMs = 15;

    readonly Lock _one = new();
    readonly Dictionary<(StoreKind, string), byte[]> _files = [];
    StoreFailure _failure;
    long _failAt = long.MaxValue;
    int _times;
    bool _failsPacks;

    public string Name => "memory";

    public RepositoryError Error { get; init; } = RepositoryError.Unreachable;

    /// <summary>Since the restart.</summary>
    public long OperationCount { get; private set; }

    public Action<StoreKind, string> OnWrite { get; set; } = (_, _) => { };

    /// <summary>From this operation on, so many fail.</summary>
    public void FailAt(long operation, int times, StoreFailure failure)
    {
        lock (_one)
            (_failAt, _times, _failure) = (operation, times, failure);
    }

    public void FailPacks() => _failsPacks = true;

    public void Restart()
    {
        lock (_one)
            OperationCount = 0;
    }

    public void Create() { }

    public List<StoredFile> List(StoreKind kind) =>
        Run(() =>
            _files
                .Where(one => one.Key.Item1 == kind)
                .Select(one => new StoredFile(one.Key.Item2, one.Value.Length))
                .ToList()
        );

    public long? SizeOf(StoreKind kind, string name) =>
        Run(() => _files.TryGetValue((kind, name), out byte[]? file) ? file.Length : (long?)null);

    public byte[] Read(StoreKind kind, string name) => Run(() => Find(kind, name).ToArray());

    public void Read(StoreKind kind, string name, long offsetBytes, Span<byte> part)
    {
        byte[] file = Read(kind, name);
        if (offsetBytes + part.Length > file.Length)
            throw new RepositoryException(RepositoryError.Damaged, "short");
        file.AsSpan((int)offsetBytes, part.Length).CopyTo(part);
    }

    public void Write(StoreKind kind, string name, ReadOnlyMemory<byte> content)
    {
        OnWrite(kind, name);
        if (_failsPacks && kind == StoreKind.Pack)
            throw new RepositoryException(Error, "simulated: no space left");
        _ = Run(
            () =>
            {
                _files[(kind, name)] = content.ToArray();
                return true;
            },
            () => _files[(kind, name)] = content[..(content.Length / 2)].ToArray()
        );
    }

    public void Remove(StoreKind kind, string name) => _ = Run(() => _files.Remove((kind, name)));

    public void Dispose() { }

    byte[] Find(StoreKind kind, string name) =>
        _files.TryGetValue((kind, name), out byte[]? file)
            ? file
            : throw new RepositoryException(RepositoryError.NotFound, $"no {kind} {name}");

    /// <summary>Another one with the same files, that does not fail.</summary>
    public FaultyStore Copy()
    {
        FaultyStore copy = new();
        lock (_one)
            foreach (((StoreKind, string) key, byte[] file) in _files)
                copy._files.Add(key, file);
        return copy;
    }

    /// <summary>A bit of the longest file of a kind is another one from now on.</summary>
    public void Damage(StoreKind kind)
    {
        lock (_one)
        {
            (StoreKind, string) longest = _files.Keys.Where(key => key.Item1 == kind).MaxBy(key => _files[key].Length);
            byte[] file = [.. _files[longest]];
            file[file.Length / 2] ^= 4;
            _files[longest] = file;
        }
    }

    T Run<T>(Func<T> act, Action? half = null)
    {
        bool fails;
        lock (_one)
        {
            fails = OperationCount >= _failAt && OperationCount - _failAt < _times;
            OperationCount++;
        }
        if (fails && _failure == StoreFailure.Slow)
            Thread.Sleep(SlowMs);
        lock (_one)
        {
            if (!fails || _failure == StoreFailure.Slow)
                return act();
            if (_failure == StoreFailure.After)
                _ = act();
            else if (_failure == StoreFailure.Half)
                half?.Invoke();
            throw new RepositoryException(Error, "simulated: it does not answer");
        }
    }
}
