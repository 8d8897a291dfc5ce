// Every call of a run fails once, with every likely error; and just before every call somebody else meddles with the
// names. Whatever happens: success means that TARGET is this run's copy, nothing foreign is lost, and a copy that is
// whole is under one of its two names.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

[Trait("System", "Linux")] // as TargetPlaceTests
[Trait("Length", "Long")] // not in the quick check
public sealed class TargetPlaceTroubleTests
{
    const string Old = "old";
    const string Alien = "alien";

    static readonly string[][] s_systems =
    [
        [],
        ["link"],
        ["link", "rename to free"],
        ["exchange"],
    ];

    static readonly int[] s_errnos = [Errnos.ENOSPC, Errnos.EDQUOT, Errnos.EIO, Errnos.EACCES, Errnos.ENOENT];

    public static TheoryData<int, bool> Kinds
    {
        get
        {
            TheoryData<int, bool> kinds = [];
            for (int system = 0; system < s_systems.Length; system++)
                foreach (bool hasOld in new[] { false, true })
                    kinds.Add(system, hasOld);
            return kinds;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void CallThatFails_NeverMakesAWrongSuccess_NorLosesAFile(int system, bool hasOld)
    {
        int callCount = CountCalls(system, hasOld);
        for (int index = 0; index < callCount; index++)
            foreach (int errno in s_errnos)
            {
                using TargetScene scene = Make(system, hasOld);
                scene.Calls.Fail(index, errno);
                OpenRefusal refusal = scene.Run(mayReplace: hasOld);
                string call = scene.Calls.Made[index];
                string when = $"{call} ({index}) with {errno}: {refusal.Sentence}";
                if (refusal.IsNone)
                    Assert.True(TargetScene.IsOurs(scene.Target), when);
                bool hasName = TargetScene.IsOurs(scene.Target);
                bool isWhole = refusal.Sentence?.StartsWith("the copy is whole", StringComparison.Ordinal) ?? false;
                if (isWhole)
                    Assert.True(hasName || TargetScene.IsOurs(scene.Partial), when);
                else if (!refusal.IsNone) // a file that cannot be looked at is not known to be ours
                    Assert.False(hasName || (call != "look" && File.Exists(scene.Partial)), when);
                if (hasOld && !hasName)
                    Assert.True(TargetScene.Read(scene.Target) == Old, when);
            }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NamesThatChangeHands_NeverMakeAWrongSuccess_NorLoseAFile(int system, bool hasOld)
    {
        int callCount = CountCalls(system, hasOld);
        foreach ((string name, Action<TargetScene> meddle) in Meddlers())
            for (int index = 0; index < callCount; index++)
            {
                using TargetScene scene = Make(system, hasOld);
                bool hasMeddled = false;
                scene.Calls.Before(
                    index,
                    () =>
                    {
                        hasMeddled = true;
                        meddle(scene);
                    }
                );
                OpenRefusal refusal = scene.Run(mayReplace: hasOld);
                string call = scene.Calls.Made[index];
                string when = $"{name} before {call} ({index}): {refusal.Sentence}";
                Assert.True(hasMeddled, when);
                if (refusal.IsNone)
                    Assert.True(TargetScene.IsOurs(scene.Target), when);
                // The kernel cannot compare and take away, or replace, in one step: see TargetPlace.
                bool isLastMoment = call is "unlink" or "rename";
                bool isBeforeCreate = !scene.Calls.Made.Take(index).Contains("create");
                bool mayBeReplaced = hasOld && (name == "alien target" || isBeforeCreate);
                if (!isLastMoment && !mayBeReplaced && name.StartsWith(Alien, StringComparison.Ordinal))
                    Assert.True(Contents(scene).Contains(Alien), when);
            }
    }

    static IEnumerable<(string Name, Action<TargetScene> Act)> Meddlers()
    {
        yield return ("alien partial", scene => Put(scene.Partial));
        yield return ("alien target", scene => Put(scene.Target));
        yield return ("no partial", scene => File.Delete(scene.Partial));
        yield return ("no target", scene => File.Delete(scene.Target));
        yield return (
            "link for a partial",
            scene =>
            {
                File.WriteAllText(Path.Combine(scene.Folder, "victim"), "secret");
                File.Delete(scene.Partial);
                File.CreateSymbolicLink(scene.Partial, "victim");
            }
        );
    }

    static void Put(string path)
    {
        File.WriteAllText(path + ".new", Alien);
        File.Move(path + ".new", path, overwrite: true);
    }

    static HashSet<string> Contents(TargetScene scene) =>
        [.. Directory.GetFiles(scene.Folder).Select(TargetScene.Read)];

    static TargetScene Make(int system, bool hasOld)
    {
        TargetScene scene = new();
        foreach (string call in s_systems[system])
            scene.Calls.Forget(call);
        if (hasOld)
            File.WriteAllText(scene.Target, Old);
        return scene;
    }

    static int CountCalls(int system, bool hasOld)
    {
        using TargetScene scene = Make(system, hasOld);
        Assert.True(scene.Run(mayReplace: hasOld).IsNone);
        return scene.Calls.Made.Count;
    }
}
