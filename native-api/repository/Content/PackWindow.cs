// A part of a pack in memory, for one thread after the other part. It is read from the begin of a page into the begin
// of a page, so that a local file comes past the page cache with no copy (DirectFile); what lies before it costs
// nothing.
using System;

namespace FastBackup.Repositories;

/// <summary>Threads: one at a time.</summary>
sealed class PackWindow(IStore store)
{
    Memory<byte> _pages;

    /// <param name="pack">Its name.</param>
    /// <param name="firstBytes">Where the part begins.</param>
    /// <param name="endBytes">Where it ends; together they are less than 1 GiB.</param>
    /// <returns>The part, until the next one is read.</returns>
    /// <exception cref="RepositoryException">As the store says.</exception>
    public ReadOnlySpan<byte> Read(string pack, ulong firstBytes, ulong endBytes)
    {
        int before = (int)(firstBytes % PageMemory.PageBytes);
        int bytes = before + (int)(endBytes - firstBytes);
        if (_pages.Length < bytes)
            _pages = PageMemory.Allocate(bytes);
        store.Read(StoreKind.Pack, pack, (long)firstBytes - before, _pages.Span[..bytes]);
        return _pages.Span[before..bytes];
    }
}
