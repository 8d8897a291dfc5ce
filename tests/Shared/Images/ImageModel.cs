// Random requests to an image that is open for writing, many at once, against a model of what its disk holds; the power
// may be cut after every write and flush of its file. After each cut the tables must agree but for leaks, and every
// sector be what was durable or newer; after a clean close nothing may be lost at all. The disk may become larger
// meanwhile: after a cut it has its old size or the new one, and what is new is zero.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;

namespace FastBackup.Tests.Images;

sealed class ImageModel : IBlockOwner, IDisposable
{
    const int DepthMax = 24;
    const int LengthMax = 160; // sectors
    const ulong StepBytes = 32 << 10;
    const ulong Mark = 0x9e37_79b9_7f4a_7c15;

    /// <summary>Reads all of an image's disk.</summary>
    public delegate void ReadDisk(ReadOnlyMemory<byte> file, byte[] disk);

    sealed class Asked
    {
        public BlockRequest Request;
        public int Slot;
        public ulong AskedAt;
        public (ulong?[], int)[]? Seen; // of a read beside writes: what was there when it was asked for, by sector
    }

    readonly Prng _chance;
    readonly SimulatedLoop _loop;
    readonly AlignedRegion _buffers = AlignedRegion.Map(DepthMax * LengthMax * 512, RegionResidency.Lazy);
    readonly Dictionary<ulong, Asked> _asked = [];
    readonly byte[] _backing;
    readonly ReadDisk? _readDisk;
    byte[] _disk = []; // of the file that was read last
    byte[] _cut = [];
    SectorHistory[] _sectors = [];
    bool[] _isBusy = [];
    byte[] _content;
    ImageFile _file = null!;
    ImageFile? _data;
    Qcow2Device _device = null!;
    ulong _clock = 1;
    ulong _nextKey = 1;
    ulong _nextPattern = 1;
    ulong _hot;
    ulong _namedBytes; // of the disk, for sure
    ulong _growingBytes; // that it is to have; 0: it is not growing
    ulong _growthLeft;
    bool _mayLeak;
    bool _mayFail;

    /// <param name="seed">Of everything.</param>
    /// <param name="content">The image's file.</param>
    /// <param name="backing">What it is based on; empty: nothing.</param>
    /// <param name="readDisk">Of this image; null: FlatImage does.</param>
    public ImageModel(ulong seed, byte[] content, byte[] backing, ReadDisk? readDisk = null)
    {
        (_chance, _content, _backing, _readDisk) = (new Prng(seed), content, backing, readDisk);
        _loop = new SimulatedLoop(seed);
    }

    /// <summary>An image of a random shape, which no other program has made.</summary>
    /// <param name="seed">Of everything.</param>
    /// <param name="cutsPerCent">See CutsPerCent.</param>
    /// <param name="growthBytes">See GrowthBytes; what the image is based on may be longer than its disk then.</param>
    /// <param name="hasBitmaps">See Bitmaps; only without growth, and of version 3.</param>
    public static ImageModel OfSeed(ulong seed, int cutsPerCent = 0, int growthBytes = 0, bool hasBitmaps = false)
    {
        Prng chance = new(seed);
        EmptyImage shape = EmptyImage.Any(chance);
        bool isBackingLonger = growthBytes > 0 && shape.BackingBytes > 0 && chance.Below(2) == 0;
        byte[] backing = new byte[isBackingLonger ? shape.DiskBytes + growthBytes / 2 : shape.BackingBytes];
        chance.Fill(backing);
        return new ImageModel(seed, shape.ToBytes(), backing)
        {
            CutsPerCent = cutsPerCent,
            GrowthBytes = (ulong)growthBytes,
            Bitmaps = hasBitmaps && shape.Version >= 3 ? new BitmapOracle() : null,
        };
    }

    public ulong CutCount { get; private set; }

    public ulong RequestCount { get; private set; }

    /// <summary>Of those, failed.</summary>
    public ulong FailedCount { get; private set; }

    /// <summary>How often its disk has become larger.</summary>
    public ulong GrownCount { get; private set; }

    /// <summary>The image's file, closed.</summary>
    public byte[] Content => _content;

    /// <summary>What its disk holds, closed.</summary>
    public byte[] Disk => ReadWhole(_content);

    /// <summary>Of its external data file, closed; null: it has none. Such a model is not cut.</summary>
    public byte[]? DataContent { get; set; }

    /// <summary>The file does not become longer, as a block device; then there may be no room.</summary>
    public bool IsFixed { get; init; }

    /// <summary>How many of a hundred steps of the file a power cut is tried after.</summary>
    public int CutsPerCent { get; init; }

    /// <summary>Of the persistent bitmaps that it has, which are kept; null: it has none.</summary>
    public BitmapOracle? Bitmaps { get; init; }

    /// <summary>By so much the disk becomes larger while it is written to, in some steps.</summary>
    public ulong GrowthBytes
    {
        get => _growthLeft;
        init => _growthLeft = value;
    }

    /// <summary>Opens, works and closes, several times.</summary>
    /// <param name="sessions">Of those; some end by a power cut, where cuts are tried.</param>
    /// <param name="requests">Of each.</param>
    public void Run(int sessions, int requests)
    {
        for (int i = 0; i < sessions; i++)
        {
            Open();
            Work(requests);
            if (CutsPerCent > 0 && i + 1 < sessions && _chance.Below(2) == 0)
                Crash();
            else
                Close();
        }
    }

    /// <summary>The file fails in the middle: nothing is written after that, and nothing was lost.</summary>
    public void RunIntoTrouble(int requests)
    {
        Open();
        Work(requests);
        _mayFail = true;
        _file.Trouble = new Fault(FaultKind.Io, Errnos.EIO);
        Work(requests);
        Settle();
        _file.Trouble = Fault.None;
        Check(_device.FailedBecause != null || _device.InFlightCount == 0, "it is busy without end");
        Cut();
        Work(20);
        Settle();
        Cut();
        Crash();
        _mayFail = false;
        Open();
        Work(requests);
        Close();
    }

    void Open()
    {
        ImageBytes reader = new(_content);
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header);
        Check(refusal.IsNone, refusal.Sentence);
        refusal = Qcow2Tables.TryReadL1(reader, header!, "image", out NativeArray<ulong>? l1);
        Check(refusal.IsNone, refusal.Sentence);
        refusal = WritableParts.TryRead(
            reader,
            header!,
            l1!,
            "image",
            (!IsFixed, StepBytes),
            out WritableParts? writable,
            Bitmaps != null
        );
        Check(refusal.IsNone, refusal.Sentence);
        Bitmaps?.Open(reader, header!);
        _file = new ImageFile(_loop.Reactor, _content, _chance);
        _data = DataContent == null ? null : new ImageFile(_loop.Reactor, DataContent, _chance);
        Qcow2Parts parts = new()
        {
            File = _file,
            DataFile = _data,
            Header = header!,
            L1 = l1!,
            Backing = _backing.Length == 0 ? null : Backing(),
            Writable = writable,
        };
        _device = new Qcow2Device(_loop.Reactor, "image", parts);
        BeginModel(ReadWhole(_content), (int)(header!.SizeBytes / SectorHistory.Bytes));
        if (CutsPerCent > 0)
            _file.OnStep = () =>
            {
                if (_chance.Below(100) < (ulong)CutsPerCent)
                    Cut();
            };
    }

    MemoryDevice Backing()
    {
        MemoryDevice device = new(_loop.Reactor, "backing", (ulong)_backing.Length);
        _backing.CopyTo(device.Content(0, _backing.Length));
        device.MarkAllAllocated();
        return device;
    }

    void BeginModel(byte[] disk, int sectors)
    {
        (_namedBytes, _growingBytes) = ((ulong)sectors * SectorHistory.Bytes, 0);
        if (_sectors.Length != sectors)
            _sectors = [.. Enumerable.Range(0, sectors).Select(_ => new SectorHistory())];
        _isBusy = new bool[sectors];
        for (int i = 0; i < sectors; i++)
            _sectors[i].Begin(Sector(disk, i));
        _hot = _chance.Below((ulong)sectors);
    }

    static ReadOnlySpan<byte> Sector(byte[] disk, int number) =>
        disk.AsSpan(number * SectorHistory.Bytes, SectorHistory.Bytes);

    byte[] ReadWhole(ReadOnlyMemory<byte> file)
    {
        ulong bytes = BinaryPrimitives.ReadUInt64BigEndian(file.Span[24..]);
        if ((ulong)_disk.Length != bytes)
            _disk = new byte[bytes];
        if (_readDisk == null)
            FlatImage.Read(file.Span, _backing, _disk);
        else
            _readDisk(file, _disk);
        return _disk;
    }

    void Work(int requests)
    {
        for (int left = requests; left > 0; )
        {
            if (_asked.Count < DepthMax && _chance.Below(3) != 0)
            {
                Ask();
                left--;
            }
            else
                _loop.Reactor.Turn(0);
        }
    }

    /// <summary>The disk begins to become larger, if it is not doing so.</summary>
    bool TryGrow()
    {
        if (_growingBytes != 0)
            return false;
        ulong bytes = 512 * (1 + _chance.Below(_growthLeft / 512));
        _growthLeft -= bytes;
        _growingBytes = _namedBytes + bytes;
        OpenRefusal refusal = Qcow2Growth.TryCreate(_device, _growingBytes, out Qcow2Growth? growth);
        Check(refusal.IsNone, refusal.Sentence);
        Check(_device.TryBegin(growth!, OnGrown), "it says that it is growing");
        return true;
    }

    void OnGrown(Fault fault)
    {
        bool mayFail = _mayFail || IsFixed && fault.Errno == Errnos.ENOSPC;
        Check(fault.IsNone || mayFail, $"it does not grow: {fault}; {_device.CorruptBecause}");
        if (fault.IsNone)
        {
            _namedBytes = _growingBytes;
            GrownCount++;
        }
        // A job may have been in the way of the disk, when its image had grown already.
        if (fault.IsNone && _chance.Below(4) != 0)
        {
            Check(_device.Grow(_namedBytes).IsNone, "it has not grown");
            int before = _sectors.Length;
            Array.Resize(ref _sectors, (int)(_namedBytes / SectorHistory.Bytes));
            Array.Resize(ref _isBusy, _sectors.Length);
            for (int i = before; i < _sectors.Length; i++)
            {
                _sectors[i] = new SectorHistory();
                _sectors[i].Begin(new byte[SectorHistory.Bytes]);
            }
        }
        if (!mayFail || fault.IsNone)
            _growingBytes = 0; // else nobody knows what the file has
    }

    void Ask()
    {
        if (_growthLeft >= 512 && _chance.Below(30) == 0 && TryGrow())
            return;
        BlockRequest request = default;
        ulong what = _chance.Below(100);
        request.Operation =
            what < 50 ? BlockOperation.Write
            : what < 66 ? BlockOperation.WriteZeroes
            : what < 72 ? BlockOperation.Discard
            : what < 80 ? BlockOperation.Flush
            : BlockOperation.Read;
        if (request.Operation.IsWrite() && _chance.Below(10) == 0)
            request.Flags |= BlockFlags.Fua;
        if (request.Operation == BlockOperation.WriteZeroes && _chance.Below(2) == 0)
            request.Flags |= BlockFlags.MayUnmap;
        bool isBeside = request.Operation == BlockOperation.Read && _chance.Below(2) == 0;
        if (request.Operation.HasRange() && !TryPlace(ref request, isBeside))
            return;
        Asked asked = new() { Slot = FreeSlot(), AskedAt = _clock++ };
        if (isBeside)
        {
            asked.Seen = new (ulong?[], int)[request.LengthBytes / 512];
            for (int i = 0; i < asked.Seen.Length; i++)
                asked.Seen[i] = _sectors[(int)(request.OffsetBytes / 512) + i].Now();
        }
        request.Buffer = _buffers.Start + asked.Slot * LengthMax * 512;
        request.Owner = this;
        request.UserData = _nextKey++;
        asked.Request = request;
        if (request.Operation.IsWrite())
            Fill(request);
        _asked.Add(request.UserData, asked);
        RequestCount++;
        _device.Submit(request);
    }

    int FreeSlot() => Enumerable.Range(0, DepthMax).First(slot => _asked.Values.All(asked => asked.Slot != slot));

    /// <summary>A range of which nothing is under way, unless it may be beside.</summary>
    bool TryPlace(ref BlockRequest request, bool isBeside)
    {
        ulong count = (ulong)_sectors.Length;
        ulong first = _chance.Below(2) == 0 ? _chance.Below(count) : (_hot + _chance.Below(64)) % count;
        ulong length = _chance.Below(4) == 0 ? 1 + _chance.Below(LengthMax) : 1 + _chance.Below(8);
        if (_chance.Below(4) == 0)
            (first, length) = (first / 32 * 32, (length + 31) / 32 * 32); // whole clusters now and then
        length = Math.Min(length, Math.Min(count - first, LengthMax));
        for (ulong i = first; i < first + length; i++)
            if (_isBusy[i] && !isBeside)
                return false;
        for (ulong i = first; i < first + length; i++)
            _isBusy[i] |= !isBeside;
        (request.OffsetBytes, request.LengthBytes) = (first * SectorHistory.Bytes, length * SectorHistory.Bytes);
        return true;
    }

    unsafe void Fill(in BlockRequest request)
    {
        Bitmaps?.Record(request);
        ulong pattern = request.Operation == BlockOperation.Write ? _nextPattern++ * Mark : 0;
        Span<ulong> words = new((void*)request.Buffer, (int)(request.LengthBytes / 8)); // SAFETY: a slot of _buffers
        for (int i = 0; i < words.Length; i++)
            words[i] = pattern == 0 ? 0 : pattern ^ (request.OffsetBytes / 512 + (ulong)i / 64);
        for (ulong i = 0; i < request.LengthBytes / 512; i++)
            _sectors[request.OffsetBytes / 512 + i]
                .Ask(words[(int)i * 64], request.Operation == BlockOperation.Discard);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        Asked asked = _asked[userData];
        _ = _asked.Remove(userData);
        BlockRequest request = asked.Request;
        bool mayFail = _mayFail || IsFixed && result.Fault.Errno == Errnos.ENOSPC;
        Check(result.Fault.IsNone || mayFail, $"{request.Operation} failed: {result.Fault}; {_device.CorruptBecause}");
        FailedCount += result.Fault.IsFault ? 1u : 0;
        ulong now = _clock++;
        for (ulong i = 0; i < request.LengthBytes / 512; i++)
        {
            int sector = (int)(request.OffsetBytes / 512 + i);
            if (asked.Seen == null)
                _isBusy[sector] = false;
            if (result.Fault.IsFault)
                continue;
            if (request.Operation == BlockOperation.Read)
                CheckRead(asked, sector, i);
            else
                _sectors[sector].End(now);
            if ((request.Flags & BlockFlags.Fua) != 0)
                _sectors[sector].MakeDurable(now + 1);
        }
        if (request.Operation == BlockOperation.Flush && result.Fault.IsNone)
            foreach (SectorHistory sector in _sectors)
                sector.MakeDurable(asked.AskedAt);
    }

    unsafe void CheckRead(Asked asked, int sector, ulong number)
    {
        ReadOnlySpan<byte> got = new((byte*)asked.Request.Buffer + number * 512, 512); // SAFETY: a slot of _buffers
        SectorHistory history = _sectors[sector];
        bool isRight = asked.Seen == null ? history.IsNow(got) : history.WasOrIs(asked.Seen[number], got);
        Check(isRight, $"sector {sector} reads as what it is not: {history.Tell(got)}");
    }

    void Settle() => _loop.RunUntil(() => _asked.Count == 0 && _device.InFlightCount == 0);

    void Flush()
    {
        Settle();
        BlockRequest request = new() { Operation = BlockOperation.Flush, Owner = this };
        request.UserData = _nextKey++;
        _asked.Add(request.UserData, new Asked { Request = request, AskedAt = _clock++ });
        _device.Submit(request);
        _loop.RunUntil(() => _asked.Count == 0);
        Check(_device.InFlightCount == 0, "it goes on after a flush that nobody is beside of");
    }

    void Close()
    {
        Flush();
        Bitmaps?.Store(_loop, _file, !IsFixed, ReadWhole(_file.Content), _chance);
        _content = _file.Content;
        DataContent = _data?.Content;
        _device.Dispose();
        CheckFindings findings = Look(_content);
        Check(findings.Leaks == 0 || _mayLeak, $"leaks after a clean close: {string.Join("; ", findings.Sentences)}");
        byte[] disk = ReadWhole(_content);
        for (int i = 0; i < _sectors.Length; i++)
            Check(_sectors[i].IsNow(Sector(disk, i)), $"sector {i} of the closed image is what it was not");
        Check(IsZeroBehind(disk, _sectors.Length), "what is new of the closed image is not zero");
        CheckAutoclear(_content, disk);
    }

    /// <summary>What is there after a cut is the image that is opened next.</summary>
    void Crash()
    {
        int bytes = _file.Cut(_chance, ref _cut);
        _content = _cut.AsSpan(0, bytes).ToArray();
        CheckCut(_content);
        _file.OnStep = null;
        _mayLeak = true;
        Settle();
        _device.Dispose();
    }

    void Cut()
    {
        CutCount++;
        int bytes = _file.Cut(_chance, ref _cut);
        CheckCut(_cut.AsMemory(0, bytes));
    }

    void CheckCut(ReadOnlyMemory<byte> file)
    {
        _ = Look(file);
        byte[] disk = ReadWhole(file);
        ulong bytes = (ulong)disk.Length;
        Check(bytes == _namedBytes || bytes == _growingBytes, $"a disk of {bytes} bytes, not of {_namedBytes}");
        int known = Math.Min(_sectors.Length, disk.Length / SectorHistory.Bytes);
        Check(IsZeroBehind(disk, known), "what is new is not zero");
        for (int i = 0; i < known; i++)
            Check(
                _sectors[i].MayBe(Sector(disk, i)),
                $"sector {i} after a power cut is what was never written: {_sectors[i].Tell(Sector(disk, i))}"
            );
        CheckAutoclear(file, disk);
    }

    static bool IsZeroBehind(byte[] disk, int sectors) =>
        disk.AsSpan(sectors * SectorHistory.Bytes).IndexOfAnyExcept((byte)0) < 0;

    void CheckAutoclear(ReadOnlyMemory<byte> file, byte[] disk)
    {
        Bitmaps?.Check(new ImageBytes(file), disk);
        ulong kept = Bitmaps != null ? 3u : 2; // that the data file is raw, and bitmaps
        if (file.Span[7] < 3 || (BinaryPrimitives.ReadUInt64BigEndian(file.Span[88..]) & ~kept) == 0)
            return;
        for (int i = 0; i < Math.Min(_sectors.Length, disk.Length / SectorHistory.Bytes); i++)
            Check(_sectors[i].IsFirst(Sector(disk, i)), $"sector {i} has changed, and the header denies it");
    }

    static CheckFindings Look(ReadOnlyMemory<byte> file)
    {
        ImageBytes reader = new(file);
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header);
        Check(refusal.IsNone, refusal.Sentence);
        CheckFindings findings = Qcow2Check.Run(reader, header!);
        Check(findings.Incomplete == null, findings.Incomplete!);
        Check(findings.Corruptions == 0, $"corrupt: {string.Join("; ", findings.Sentences)}");
        return findings;
    }

    static void Check(bool isSo, string sentence)
    {
        if (!isSo)
            throw new ImageModelException(sentence);
    }

    public void Dispose()
    {
        _loop.Dispose();
        _buffers.Dispose();
        Bitmaps?.Dispose();
    }
}
