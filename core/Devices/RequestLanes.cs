// The order in which a device that cannot begin everything at once takes what waits: by lane (guest, copy before
// write, snapshot, background), first come first served within one.
//
// A lane has a limit of requests under way, so that the lower ones cannot fill the device before a guest comes: the
// upper two may use all of it, the lower two half each, or less: a device that works on one request at a time makes a
// guest wait for all that it was given before. So that the upper ones cannot starve the lower for ever, after
// PassedOverMax turns in a row a lane that waits goes before them.
//
// Half is right for a file of the default 1024 requests: a backup's own are bounded by its tasks and its memory long
// before, and those that it shares with readers of its snapshot leave the kernel's queue of the disk as full as it can
// be. With 16 threads in place of a ring it is 8, and a guest waits for the shortest of what they carry out.
// Cost: O(1) a request; Promote reads what waits in the lower lanes. Allocates when more wait than ever before.
using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Devices;

/// <summary>Threads: the device's.</summary>
public sealed class RequestLanes
{
    const int LaneCount = 4;
    const uint PassedOverMax = 8;
    const uint QueueHint = 64;

    readonly Queue<BlockRequest>[] _waiting = new Queue<BlockRequest>[LaneCount];
    readonly uint[] _underWay = new uint[LaneCount];
    readonly uint[] _limits = new uint[LaneCount];
    readonly uint[] _passedOver = new uint[LaneCount];

    /// <param name="inFlightMax">What the device carries out at once, at least 1.</param>
    /// <param name="lowerInFlightMax">Of those, for each of the lower two lanes: 1..inFlightMax; null: half.</param>
    /// <param name="waitingHint">How many may wait in one lane before it allocates.</param>
    public RequestLanes(uint inFlightMax, uint? lowerInFlightMax = null, uint waitingHint = QueueHint)
    {
        Check.That(inFlightMax > 0);
        uint lowerMax = lowerInFlightMax ?? Math.Max(1, inFlightMax / 2);
        Check.That(lowerMax > 0);
        Check.That(lowerMax <= inFlightMax);
        for (int lane = 0; lane < LaneCount; lane++)
        {
            _waiting[lane] = new Queue<BlockRequest>((int)waitingHint);
            _limits[lane] = lane <= (int)IoLane.CopyBeforeWrite ? inFlightMax : lowerMax;
        }
    }

    /// <summary>Requests of all lanes that wait here.</summary>
    public uint WaitingCount { get; private set; }

    /// <summary>Whether a request of the lane may begin now; then it counts as under way.</summary>
    /// <param name="lane">Its lane.</param>
    /// <param name="isDeviceFull">Then it may not.</param>
    public bool TryBegin(IoLane lane, bool isDeviceFull)
    {
        int index = (int)lane;
        if (isDeviceFull || _waiting[index].Count > 0 || _underWay[index] >= _limits[index])
            return false;
        _underWay[index]++;
        return true;
    }

    public void Wait(in BlockRequest request)
    {
        _waiting[(int)request.Lane].Enqueue(request);
        WaitingCount++;
    }

    /// <summary>A request of the lane has ended.</summary>
    public void End(IoLane lane)
    {
        Check.That(_underWay[(int)lane] > 0);
        _underWay[(int)lane]--;
    }

    /// <summary>The next that may begin; it counts as under way from here on.</summary>
    /// <remarks>To be called while the device has room.</remarks>
    public bool TryNext(out BlockRequest request)
    {
        request = default;
        int chosen = -1;
        for (int lane = 0; lane < LaneCount; lane++)
        {
            if (_waiting[lane].Count == 0 || _underWay[lane] >= _limits[lane])
                continue;
            if (chosen < 0 || _passedOver[lane] >= PassedOverMax)
                chosen = lane;
        }
        if (chosen < 0)
            return false;
        for (int lane = 0; lane < LaneCount; lane++)
            _passedOver[lane] = lane == chosen || _waiting[lane].Count == 0 ? 0 : _passedOver[lane] + 1;
        request = _waiting[chosen].Dequeue();
        _underWay[chosen]++;
        WaitingCount--;
        return true;
    }

    /// <summary>One that waits, whatever its lane allows: it will not begin any more.</summary>
    public bool TryDrop(out BlockRequest request)
    {
        request = default;
        foreach (Queue<BlockRequest> waiting in _waiting)
            if (waiting.TryDequeue(out request))
            {
                WaitingCount--;
                return true;
            }
        return false;
    }

    /// <summary>Takes a request of a lower lane that waits out of its turn; it counts as copy before write.</summary>
    /// <returns>False when it does not wait here.</returns>
    public bool TryPromote(IBlockOwner owner, ulong userData, out BlockRequest request)
    {
        request = default;
        bool isFound = false;
        for (int lane = (int)IoLane.Snapshot; lane < LaneCount && !isFound; lane++)
        {
            Queue<BlockRequest> queue = _waiting[lane];
            for (int count = queue.Count; count > 0; count--)
            {
                BlockRequest waiting = queue.Dequeue();
                if (!isFound && ReferenceEquals(waiting.Owner, owner) && waiting.UserData == userData)
                    (request, isFound) = (waiting, true);
                else
                    queue.Enqueue(waiting);
            }
        }
        if (!isFound)
            return false;
        request.Lane = IoLane.CopyBeforeWrite;
        WaitingCount--;
        return true;
    }
}
