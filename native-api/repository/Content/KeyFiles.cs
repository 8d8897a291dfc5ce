// The key files of a repository: each is a password's way to the one master key. A new one costs about half a second
// and 32 MiB on purpose, by the same parameters that stock restic takes.
// Source: restic's doc/design.rst, Keys, Encryption and MAC.
using System;
using System.Collections.Generic;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace FastBackup.Repositories;

/// <summary>Threads: one.</summary>
sealed class KeyFiles(IStore store)
{
    const string Derivation = "scrypt";
    public const int CostUsual = 32768;
    const int BlockSize = 8;
    const int Parallel = 4;
    const int SaltBytes = 64;

    // What a file may ask for: a made up one shall not take all the memory and time there is.
    const long MemoryBytesMax = 1L << 30;
    const int ParallelMax = 64;

    /// <summary>Which key files there are, with what they say of themselves.</summary>
    public List<(string Name, KeyDocument? Document)> List()
    {
        List<(string, KeyDocument?)> keys = [];
        foreach (StoredFile file in store.List(StoreKind.Key))
            keys.Add((file.Name, Read(file.Name)));
        return keys;
    }

    /// <summary>Finds the key file that the password opens.</summary>
    /// <param name="password">Of any of them.</param>
    /// <param name="name">Of that file.</param>
    /// <exception cref="RepositoryException">WrongPassword: it opens none.</exception>
    public MasterKey Open(string password, out string name)
    {
        byte[] secret = Encoding.UTF8.GetBytes(password);
        int count = 0;
        foreach ((string file, KeyDocument? document) in List())
        {
            count++;
            if (document != null && TryOpen(document, secret) is { } key)
            {
                name = file;
                return key;
            }
        }
        throw count == 0
            ? new RepositoryException(
                RepositoryError.Damaged,
                $"repository '{store.Name}' has no key file, so nobody can open it; restore its folder 'keys'"
            )
            : new RepositoryException(
                RepositoryError.WrongPassword,
                $"the password opens none of the {count} key files of repository '{store.Name}'; give the right one"
            );
    }

    /// <summary>Makes one more key file for the same master key.</summary>
    /// <param name="key">Of the repository.</param>
    /// <param name="password">That opens it from now on.</param>
    /// <param name="cost">Of trying a password: a power of two.</param>
    /// <returns>Its name.</returns>
    public string Add(MasterKey key, string password, int cost = CostUsual)
    {
        byte[] salt = RandomNumberGenerator.GetBytes(SaltBytes);
        MasterKey derived = MasterKey.Derive(Encoding.UTF8.GetBytes(password), salt, cost, BlockSize, Parallel);
        MasterKeyDocument inside = new(new MasterKeyMac(key.MacKey, key.MacPoint), key.Encrypt);
        using BlobCipher cipher = new(derived);
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(inside, Documents.Readable.MasterKeyDocument);
        KeyDocument document = new(
            RepositoryTime.Format(DateTime.UtcNow),
            Environment.UserName,
            Environment.MachineName,
            Derivation,
            cost,
            BlockSize,
            Parallel,
            salt,
            cipher.Seal(text)
        );
        byte[] file = JsonSerializer.SerializeToUtf8Bytes(document, Documents.Readable.KeyDocument);
        string name = BlobId.Of(file).ToString();
        store.Write(StoreKind.Key, name, file);
        return name;
    }

    KeyDocument? Read(string name)
    {
        try
        {
            return JsonSerializer.Deserialize(store.Read(StoreKind.Key, name), Documents.Default.KeyDocument);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    static MasterKey? TryOpen(KeyDocument document, byte[] secret)
    {
        bool isSound =
            document is { Derivation: Derivation, Salt: not null, SealedKey: not null, BlockSize: > 0, Parallel: > 0 }
            && document.Parallel <= ParallelMax
            && document.Cost > 1
            && int.IsPow2(document.Cost)
            && 128L * document.Cost * document.BlockSize <= MemoryBytesMax;
        if (!isSound)
            return null;
        MasterKey derived = MasterKey.Derive(
            secret,
            document.Salt!,
            document.Cost,
            document.BlockSize,
            document.Parallel
        );
        using BlobCipher cipher = new(derived);
        if (cipher.Open(document.SealedKey) is not { } text)
            return null;
        try
        {
            MasterKeyDocument? inside = JsonSerializer.Deserialize(text, Documents.Default.MasterKeyDocument);
            MasterKey key = new(inside?.Encrypt ?? [], inside?.Mac?.Key ?? [], inside?.Mac?.Point ?? []);
            return key.IsWhole ? key : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
