// A repository that a password has opened: its documents, its snapshots, its blobs. What is read is believed only when
// its authenticator and its name fit; what is written gets its name from its content. Nothing here decides in which
// order things are written: PackSink and whoever uses it do.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;

namespace FastBackup.Repositories;

/// <summary>Threads: any, but for what opens and closes.</summary>
sealed class OpenedRepository : IDisposable
{
    public const int Version = 2;

    /// <summary>Of texts: what an index claims beyond is no blob.</summary>
    const uint BlobBytesMax = 512 << 20;

    OpenedRepository(IStore store, MasterKey key, string keyName, ConfigDocument config)
    {
        (Store, Key, KeyName, Config) = (store, key, keyName, config);
        Codecs = new CodecPool(key);
    }

    public IStore Store { get; }

    public MasterKey Key { get; }

    /// <summary>The key file that the password opened.</summary>
    public string KeyName { get; }

    public ConfigDocument Config { get; }

    public CodecPool Codecs { get; }

    public BlobIndex Index { get; private set; } = new();

    /// <summary>What was found damaged on the way, sentences; the work goes on without it.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>
    /// Makes a repository where there is none. Where a key file has been left by one that ended before it was made, and
    /// the password opens that, it is finished.
    /// </summary>
    /// <param name="store">Where; owned from now on.</param>
    /// <param name="password">Of its first key file.</param>
    /// <param name="cost">Of trying a password.</param>
    public static OpenedRepository Create(IStore store, string password, int cost = KeyFiles.CostUsual)
    {
        if (TrySizeOfConfig(store) != null)
            throw Occupied(store);
        store.Create();
        KeyFiles files = new(store);
        bool isBegun = store.List(StoreKind.Key).Count > 0;
        string? name = null;
        MasterKey key = isBegun ? OpenBegun(store, files, password, out name) : MasterKey.Random();
        name ??= files.Add(key, password, cost);
        ConfigDocument config = new(
            Version,
            Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(BlobId.Bytes)),
            ChunkerPolynomial.Random()
        );
        using BlobCipher cipher = new(key);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(config, Documents.Readable.ConfigDocument);
        try
        {
            store.Write(StoreKind.Config, "", cipher.Seal(json)); // last, since with it the repository is there
        }
        catch (RepositoryException exception)
            when (exception.Error is RepositoryError.Refused or RepositoryError.Forbidden)
        {
            if (TrySizeOfConfig(store) == null)
                throw;
        }
        // Of two at once it is whose config is there: the other one's key would open nothing.
        if (ReadConfig(store, cipher) is { } made)
            return new OpenedRepository(store, key, name, made);
        if (!isBegun)
            store.Remove(StoreKind.Key, name);
        throw Occupied(store);
    }

    static RepositoryException Occupied(IStore store) =>
        new(RepositoryError.Refused, $"'{store.Name}' holds a repository already; give another place");

    /// <summary>The key of one that ended between its key file and its config: nothing was stored yet.</summary>
    static MasterKey OpenBegun(IStore store, KeyFiles files, string password, out string name)
    {
        foreach (StoreKind kind in (StoreKind[])[StoreKind.Snapshot, StoreKind.Index, StoreKind.Pack])
            if (store.List(kind).Count > 0)
                throw new RepositoryException(
                    RepositoryError.Foreign,
                    $"'{store.Name}' has key files, content and no config: what is left of another repository; "
                        + "give another place"
                );
        try
        {
            return files.Open(password, out name);
        }
        catch (RepositoryException exception) when (exception.Error == RepositoryError.WrongPassword)
        {
            throw new RepositoryException(
                RepositoryError.Foreign,
                $"'{store.Name}' has key files of a repository that was begun and not finished: give the password "
                    + "that it was begun with, or remove what is in its folder 'keys'",
                exception
            );
        }
    }

    /// <summary>There is a repository, whatever may be wrong with it.</summary>
    public static bool IsThere(IStore store) => TrySizeOfConfig(store) != null;

    /// <param name="store">Where; owned from now on.</param>
    /// <param name="password">Of any key file.</param>
    public static OpenedRepository Open(IStore store, string password)
    {
        if (TrySizeOfConfig(store) == null)
            throw new RepositoryException(
                RepositoryError.NotFound,
                $"there is no repository at '{store.Name}'; make one with 'fastbackup repo init', or give its place"
            );
        MasterKey key = new KeyFiles(store).Open(password, out string name);
        using BlobCipher cipher = new(key);
        ConfigDocument? config = ReadConfig(store, cipher);
        if (config == null)
            throw new RepositoryException(
                RepositoryError.Damaged,
                $"the config of repository '{store.Name}' is damaged; restore that file from another copy"
            );
        if (config.Version != Version)
            throw new RepositoryException(
                RepositoryError.Foreign,
                $"repository '{store.Name}' has version {config.Version} of the format, and this program knows "
                    + $"{Version}; "
                    + (config.Version < Version ? "'restic migrate upgrade_repo_v2' lifts it" : "take a newer program")
            );
        return new OpenedRepository(store, key, name, config);
    }

    /// <summary>All that can be read, oldest first.</summary>
    public List<StoredPoint> LoadSnapshots()
    {
        List<StoredPoint> snapshots = [];
        foreach (StoredFile file in Store.List(StoreKind.Snapshot))
        {
            try
            {
                snapshots.Add(LoadSnapshot(file.Name));
            }
            catch (RepositoryException exception) when (exception.Error == RepositoryError.Damaged)
            {
                Warnings.Add(exception.Message);
            }
            catch (RepositoryException exception) when (exception.Error == RepositoryError.NotFound)
            {
                continue; // forgotten meanwhile
            }
        }
        return [.. snapshots.OrderBy(one => one.Time).ThenBy(one => one.Id.ToString(), StringComparer.Ordinal)];
    }

    /// <summary>
    /// Reads all index files. Those that are damaged are passed over with a warning, and so is what lies in packs that
    /// are not there in their length: snapshots must have been listed before.
    /// </summary>
    public void LoadIndex()
    {
        Dictionary<string, long> packs = Store.List(StoreKind.Pack).ToDictionary(one => one.Name, one => one.SizeBytes);
        BlobIndex index = new();
        int lost = 0;
        foreach (StoredFile file in Store.List(StoreKind.Index))
        {
            List<IndexedPack>? listed;
            try
            {
                listed = IndexDocument.Read(LoadFile(StoreKind.Index, file.Name));
            }
            catch (RepositoryException exception)
                when (exception.Error is RepositoryError.Damaged or RepositoryError.NotFound)
            {
                if (exception.Error == RepositoryError.Damaged)
                    Warnings.Add(exception.Message);
                continue;
            }
            if (listed == null)
                Warnings.Add(
                    $"index file {file.Name} of '{Store.Name}' is no index; 'restic rebuild-index' makes it anew"
                );
            foreach (IndexedPack pack in listed ?? [])
            {
                if (IsThere(pack, packs))
                    index.Add(pack);
                else
                    lost++;
            }
        }
        if (lost > 0)
            Warnings.Add(
                $"{lost} packs of '{Store.Name}' are lost or cut short: what was in them is taken as not there; "
                    + "'fastbackup repo verify' says which points need it"
            );
        Index = index;
    }

    /// <summary>A document of the store: authenticated, and of the name of its content.</summary>
    public byte[] LoadFile(StoreKind kind, string name)
    {
        byte[] file = Store.Read(kind, name);
        BlobCodec codec = Codecs.Rent();
        byte[]? json = BlobId.Of(file).ToString() == name ? SealedFile.Read(file, codec.Cipher) : null;
        Codecs.Return(codec);
        return json
            ?? throw new RepositoryException(
                RepositoryError.Damaged,
                $"{kind.Word()} {name} of '{Store.Name}' is damaged: its content is not what was stored"
            );
    }

    /// <returns>Its name.</returns>
    public BlobId SaveFile(StoreKind kind, byte[] json)
    {
        BlobCodec codec = Codecs.Rent();
        byte[] file = SealedFile.Write(json, codec.Cipher, codec.Zstd);
        Codecs.Return(codec);
        BlobId id = BlobId.Of(file);
        Store.Write(kind, id.ToString(), file);
        return id;
    }

    public StoredPoint LoadSnapshot(string name)
    {
        SnapshotDocument? document = Parse(LoadFile(StoreKind.Snapshot, name), Documents.Default.SnapshotDocument);
        bool isSound =
            RepositoryTime.TryParse(document?.Time, out DateTime time) & BlobId.TryParse(document?.Tree ?? "", out _);
        return isSound && BlobId.TryParse(name, out BlobId id)
            ? new StoredPoint(id, document!, time)
            : throw new RepositoryException(
                RepositoryError.Damaged,
                $"snapshot {name} of '{Store.Name}' is damaged: it says no time or no tree"
            );
    }

    /// <summary>Reads a blob whole.</summary>
    /// <exception cref="RepositoryException">Damaged: it is not there, or not what its name says.</exception>
    public byte[] LoadBlob(BlobId id, BlobKind kind)
    {
        if (!Index.TryFind(id, out BlobPlace place) || place.Kind != kind)
            throw Missing(id, kind);
        byte[] text = new byte[Checked(place)];
        ReadBlob(id, place, text);
        return text;
    }

    /// <param name="id">Its name.</param>
    /// <param name="place">Where it lies.</param>
    /// <param name="text">Room for exactly its text.</param>
    public void ReadBlob(BlobId id, in BlobPlace place, Span<byte> text)
    {
        BlobCodec codec = Codecs.Rent();
        try
        {
            string pack = Index.PackOf(place).ToString();
            Span<byte> sealedBlob = codec.Sealed((int)place.SealedBytes);
            Store.Read(StoreKind.Pack, pack, place.OffsetBytes, sealedBlob);
            if (!codec.TryOpen(id, place, sealedBlob, text))
                throw new RepositoryException(
                    RepositoryError.Damaged,
                    $"blob {id} in pack {pack} of '{Store.Name}' is damaged: its content is not what was stored"
                );
        }
        finally
        {
            Codecs.Return(codec);
        }
    }

    public List<TreeNode> LoadTree(BlobId id) =>
        TreeDocument.Read(LoadBlob(id, BlobKind.Tree))
        ?? throw new RepositoryException(RepositoryError.Damaged, $"tree {id} of '{Store.Name}' is no list of files");

    public RepositoryException Missing(BlobId id, BlobKind kind) =>
        new(
            RepositoryError.Damaged,
            $"{(kind == BlobKind.Tree ? "tree" : "blob")} {id} is in no index of '{Store.Name}', or its pack is lost"
        );

    public void Dispose()
    {
        Codecs.Dispose();
        Store.Dispose();
    }

    /// <returns>Null: damaged, or of another key.</returns>
    static ConfigDocument? ReadConfig(IStore store, BlobCipher cipher) =>
        Parse(SealedFile.Read(store.Read(StoreKind.Config, ""), cipher), Documents.Default.ConfigDocument);

    static uint Checked(in BlobPlace place) =>
        place.TextBytes <= BlobBytesMax
            ? place.TextBytes
            : throw new RepositoryException(RepositoryError.Damaged, "an index names a blob of impossible length");

    static bool IsThere(IndexedPack pack, Dictionary<string, long> packs)
    {
        if (!packs.TryGetValue(pack.Pack.ToString(), out long sizeBytes))
            return false;
        foreach (PackedBlob blob in pack.Blobs)
            if ((long)blob.Place.OffsetBytes + blob.Place.SealedBytes > sizeBytes - PackHeader.LengthBytes)
                return false;
        return true;
    }

    static long? TrySizeOfConfig(IStore store)
    {
        try
        {
            return store.SizeOf(StoreKind.Config, "");
        }
        catch (RepositoryException exception) when (exception.Error == RepositoryError.NotFound)
        {
            return null;
        }
    }

    static T? Parse<T>(byte[]? json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return json == null ? null : JsonSerializer.Deserialize(json, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
