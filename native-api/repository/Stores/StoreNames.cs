// Which names files of a repository have.
using System.Linq;

namespace FastBackup.Repositories;

static class StoreNames
{
    public static readonly StoreKind[] Kinds =
    [
        StoreKind.Config,
        StoreKind.Key,
        StoreKind.Lock,
        StoreKind.Snapshot,
        StoreKind.Index,
        StoreKind.Pack,
    ];

    /// <summary>Of the folder, on disk and in URLs.</summary>
    public static string Folder(this StoreKind kind) =>
        kind switch
        {
            StoreKind.Key => "keys",
            StoreKind.Lock => "locks",
            StoreKind.Snapshot => "snapshots",
            StoreKind.Index => "index",
            StoreKind.Pack => "data",
            _ => "config",
        };

    /// <summary>For sentences.</summary>
    public static string Word(this StoreKind kind) =>
        kind switch
        {
            StoreKind.Key => "key file",
            StoreKind.Lock => "lock",
            StoreKind.Snapshot => "snapshot",
            StoreKind.Index => "index file",
            StoreKind.Pack => "pack",
            _ => "config",
        };

    public static bool IsName(string name) =>
        name.Length == BlobId.Digits && name.All(one => one is (>= '0' and <= '9') or (>= 'a' and <= 'f'));
}
