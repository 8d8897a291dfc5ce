// The argument at the head of HierarchicalBitmap.cs, checked: all interleavings of up to four setters and clearers
// over two lines that share a line of level 1, one step per atomic access. Threads on two cores meet the bad orders
// once in millions of tries; here each is tried. The same search finds the loss as soon as one rule is left out.
using System.Collections.Generic;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

public sealed class SummaryProtocolTests
{
    public enum Rule
    {
        All,
        WithoutSecondLook, // no C3
        RestoreOneLevelOnly, // C4 does not go on upwards
        SetterFromTheTop, // S2 before S1
    }

    [Theory]
    [InlineData(Rule.All, false)]
    [InlineData(Rule.WithoutSecondLook, true)]
    [InlineData(Rule.RestoreOneLevelOnly, true)]
    [InlineData(Rule.SetterFromTheTop, true)]
    public void SettersAndClearers_InEveryOrder_LoseALineOnlyWhenARuleIsLeftOut(Rule rule, bool isLossExpected)
    {
        // A thread is 0 or 1: sets line 0 or 1; 2 or 3: clears it. All multisets of four.
        bool isLost = false;
        for (int threads = 0; threads < 256 && !(isLossExpected && isLost); threads++)
        {
            int[] kinds = [threads & 3, threads >> 2 & 3, threads >> 4 & 3, threads >> 6 & 3];
            for (int leaf = 0; leaf < 4; leaf++)
                isLost |= FindsLoss(rule, kinds, leaf);
        }
        Assert.Equal(isLossExpected, isLost);
    }

    /// <summary>Leaf lines, their bits in level 1, the bit of that line in level 2; and where each thread is.</summary>
    readonly record struct State(int Leaf, int One, int Two, int Steps)
    {
        public int StepOf(int thread) => Steps >> (8 * thread) & 0xFF;

        public State With(int thread, int step) =>
            this with
            {
                Steps = Steps & ~(0xFF << (8 * thread)) | step << (8 * thread),
            };
    }

    const int Done = 0xFF;

    static bool FindsLoss(Rule rule, int[] kinds, int leaf)
    {
        HashSet<State> seen = [];
        Stack<State> open = new();
        open.Push(new State(leaf, leaf, leaf != 0 ? 1 : 0, 0));
        while (open.TryPop(out State state))
        {
            if (!seen.Add(state))
                continue;
            bool isAtRest = true;
            for (int thread = 0; thread < kinds.Length; thread++)
            {
                int step = state.StepOf(thread);
                if (step == Done)
                    continue;
                isAtRest = false;
                int bit = 1 << (kinds[thread] & 1);
                State next = state;
                int nextStep =
                    kinds[thread] >= 2 ? Clear(rule, step, bit, ref next)
                    : rule == Rule.SetterFromTheTop ? SetFromTheTop(step, bit, ref next)
                    : Set(step, bit, ref next);
                open.Push(next.With(thread, nextStep));
            }
            if (isAtRest && ((state.Leaf & ~state.One) != 0 || (state.One != 0 && state.Two == 0)))
                return true;
        }
        return false;
    }

    /// <summary>Steps of a setter; from 1 on they are also what a clearer does after a second look.</summary>
    static int Set(int step, int bit, ref State state)
    {
        switch (step)
        {
            case 0:
                state = state with { Leaf = state.Leaf | bit };
                return 1;
            case 1:
                return (state.One & bit) != 0 ? 3 : 2;
            case 2:
                state = state with { One = state.One | bit };
                return 3;
            case 3:
                return state.Two != 0 ? Done : 4;
            default:
                state = state with { Two = 1 };
                return Done;
        }
    }

    static int SetFromTheTop(int step, int bit, ref State state)
    {
        switch (step)
        {
            case 0:
                state = state with { Two = 1 };
                return 1;
            case 1:
                state = state with { One = state.One | bit };
                return 2;
            default:
                state = state with { Leaf = state.Leaf | bit };
                return Done;
        }
    }

    static int Clear(Rule rule, int step, int bit, ref State state)
    {
        switch (step)
        {
            case 0: // C1
                bool wasSet = (state.Leaf & bit) != 0;
                state = state with { Leaf = state.Leaf & ~bit };
                return wasSet ? 10 : Done;
            case >= 1 and <= 4: // C4, as a setter
                int next = Set(step, bit, ref state);
                return step == 2 && rule == Rule.RestoreOneLevelOnly ? Done : next;
            case 10:
                return (state.Leaf & bit) != 0 ? Done : 11;
            case 11:
                return (state.One & bit) == 0 ? Done : 12;
            case 12: // C2
                state = state with { One = state.One & ~bit };
                return rule == Rule.WithoutSecondLook ? 14 : 13;
            case 13: // C3
                return (state.Leaf & bit) != 0 ? 1 : 14;
            case 14: // the line of level 1, its two words one after the other
                return (state.One & 1) != 0 ? Done : 15;
            case 15:
                return (state.One & 2) != 0 ? Done : 16;
            case 16:
                return state.Two == 0 ? Done : 17;
            case 17: // C2, one level up
                state = state with { Two = 0 };
                return rule == Rule.WithoutSecondLook ? Done : 18;
            case 18: // C3, one level up
                return (state.One & 1) != 0 ? 3 : 19;
            default:
                return (state.One & 2) != 0 ? 3 : Done;
        }
    }
}
